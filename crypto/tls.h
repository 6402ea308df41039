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

namespace florin::crypto {

// The certificate chain and its key, both as PEM text. Errc::malformed says which of the two is
// wrong, or that they do not belong together.
Result<std::shared_ptr<boost::asio::ssl::context>> make_server_context(
    std::string const& certificate_chain_pem, KeyBytes const& key_pem
);

// For clients: trusts the certificates of this PEM text and no others.
Result<std::shared_ptr<boost::asio::ssl::context>> make_client_context(std::string const& ca_pem);

}  // namespace florin::crypto
