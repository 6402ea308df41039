// TLS contexts: versions 1.2 and 1.3, forward secrecy, nothing negotiable below that.
// Thread rule: make them at the start; a finished context may be shared by threads.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <memory>
#include <string>

namespace boost::asio::ssl {
class context;
}
struct ssl_st;  // OpenSSL's SSL

namespace florin::crypto {

// The certificate chain and its key, both as PEM text. Errc::malformed says which of the two is
// wrong, or that they do not belong together.
Result<std::shared_ptr<boost::asio::ssl::context>> make_server_context(
    std::string const& certificate_chain_pem, KeyBytes const& key_pem
);

// For clients: trusts the certificates of this PEM text and no others.
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_context(std::string const& ca_pem);

// For clients of anybody: trusts the system's certificates, and those of this PEM text where it is
// not empty. Host names are for the caller to check.
Result<std::shared_ptr<boost::asio::ssl::context>> make_public_client_context(
    std::string const& extra_ca_pem
);

// Before a client's handshake: which host is asked for (RFC 6066 section 3), so that a server of
// many shows the right certificate. For names only, not for addresses.
void ask_for_host(ssl_st* connection, std::string const& host);

}  // namespace florin::crypto
