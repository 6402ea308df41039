#include "crypto/tls_connection.h"

#include "ledger/base/check.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

namespace florin::crypto {

TlsConnection::TlsConnection(boost::asio::ssl::context& context, int socket)
    : ssl_{SSL_new(context.native_handle())} {
    FLORIN_CHECK(ssl_ != nullptr, "there is memory for a connection");
    FLORIN_CHECK(SSL_set_fd(ssl_, socket) == 1, "a socket can be given to a connection");
    SSL_set_accept_state(ssl_);
    SSL_set_mode(ssl_, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    // A record in one system call instead of two.
    SSL_set_read_ahead(ssl_, 1);
}

TlsConnection::~TlsConnection() {
    SSL_free(ssl_);
}

TlsState TlsConnection::state_of(int result) {
    switch (SSL_get_error(ssl_, result)) {
        case SSL_ERROR_NONE: return TlsState::done;
        case SSL_ERROR_WANT_READ: return TlsState::want_read;
        case SSL_ERROR_WANT_WRITE: return TlsState::want_write;
        case SSL_ERROR_ZERO_RETURN:
        case SSL_ERROR_SYSCALL: return TlsState::closed;
        default: break;
    }
    return TlsState::failed;
}

// OpenSSL keeps errors per thread: those of another connection must not be taken for ours.
TlsState TlsConnection::handshake() {
    ERR_clear_error();
    return state_of(SSL_do_handshake(ssl_));
}

TlsState TlsConnection::read(std::span<char> into, std::size_t& count) {
    ERR_clear_error();
    return state_of(SSL_read_ex(ssl_, into.data(), into.size(), &count));
}

TlsState TlsConnection::write(std::string_view bytes, std::size_t& count) {
    ERR_clear_error();
    return state_of(SSL_write_ex(ssl_, bytes.data(), bytes.size(), &count));
}

bool TlsConnection::has_unread() const {
    return SSL_has_pending(ssl_) == 1;
}

void TlsConnection::shutdown() {
    ERR_clear_error();
    if (SSL_is_init_finished(ssl_) == 1) {
        SSL_shutdown(ssl_);
    }
}

}  // namespace florin::crypto
