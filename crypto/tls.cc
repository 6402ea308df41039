#include "crypto/tls.h"

#include <boost/asio/ssl/context.hpp>

namespace florin::crypto {
namespace {

namespace ssl = boost::asio::ssl;

constexpr char const* kCiphersTls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::shared_ptr<ssl::context> make(ssl::context::method method) {
    auto context = std::make_shared<ssl::context>(method);
    SSL_CTX* const raw = context->native_handle();
    SSL_CTX_set_min_proto_version(raw, TLS1_2_VERSION);
    SSL_CTX_set_cipher_list(raw, kCiphersTls12);
    SSL_CTX_set_options(
        raw, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE
    );
    // An idle connection keeps no read and write buffers.
    SSL_CTX_set_mode(raw, SSL_MODE_RELEASE_BUFFERS);
    return context;
}

boost::asio::const_buffer buffer(std::string_view text) {
    return {text.data(), text.size()};
}

}  // namespace

Result<std::shared_ptr<ssl::context>> make_server_context(
    std::string const& certificate_chain_pem, KeyBytes const& key_pem
) {
    auto context = make(ssl::context::tls_server);
    boost::system::error_code error;
    context->use_certificate_chain(buffer(certificate_chain_pem), error);
    if (error) {
        return fail(Errc::malformed, "TLS certificate: " + error.message());
    }
    context->use_private_key(buffer(key_pem.reveal()), ssl::context::pem, error);
    if (error) {
        return fail(Errc::malformed, "TLS key: " + error.message());
    }
    if (SSL_CTX_check_private_key(context->native_handle()) != 1) {
        return fail(Errc::malformed, "TLS key: does not belong to the certificate");
    }
    return context;
}

Result<std::shared_ptr<ssl::context>> make_client_context(std::string const& ca_pem) {
    auto context = make(ssl::context::tls_client);
    boost::system::error_code error;
    context->add_certificate_authority(buffer(ca_pem), error);
    if (error) {
        return fail(Errc::malformed, "TLS CA: " + error.message());
    }
    context->set_verify_mode(ssl::verify_peer, error);
    return context;
}

Result<std::shared_ptr<ssl::context>> make_public_client_context(std::string const& extra_ca_pem) {
    auto context = make(ssl::context::tls_client);
    boost::system::error_code error;
    context->set_default_verify_paths(error);
    if (error) {
        return fail(Errc::io, "TLS: the system's certificates: " + error.message());
    }
    if (!extra_ca_pem.empty()) {
        context->add_certificate_authority(buffer(extra_ca_pem), error);
        if (error) {
            return fail(Errc::malformed, "TLS CA: " + error.message());
        }
    }
    context->set_verify_mode(ssl::verify_peer, error);
    return context;
}

void ask_for_host(ssl_st* connection, std::string const& host) {
    std::string name = host;
    SSL_ctrl(connection, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data());
}

}  // namespace florin::crypto
