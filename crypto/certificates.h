// Certificates for development: a CA of one's own and a server certificate for loopback.
// Thread rule: pure functions of the operating system's randomness.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <cstdint>
#include <string>
#include <vector>

namespace florin::crypto {

struct Certificate {
    std::string certificate_pem;
    KeyBytes key_pem;
};

struct Validity {
    std::int64_t from;   // seconds since 1970 UTC
    std::int64_t until;  // seconds since 1970 UTC
};

// An EC P-256 key and a certificate that signs itself and may sign others.
Result<Certificate> make_ca(std::string const& common_name, Validity validity);

// An EC P-256 key and a server certificate for these host names and IP addresses, signed by the CA.
Result<Certificate> make_server_certificate(
    Certificate const& ca, std::vector<std::string> const& names, Validity validity
);

// When the first certificate of a PEM text ends, in seconds since 1970 UTC.
Result<std::int64_t> not_after(std::string const& certificate_pem);

}  // namespace florin::crypto
