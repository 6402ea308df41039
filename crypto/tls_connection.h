// One TLS connection over a socket that does not block: handshake, read and write as far as they go
// now. Whoever has the socket waits for it in between.
//
// It reads and writes the socket itself, so that an idle connection keeps no buffers. Thread rule:
// one thread at a time.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <cstddef>
#include <span>
#include <string_view>

struct ssl_st;

namespace florin::crypto {

enum class TlsState {
    done,
    want_read,   // wait until the socket can be read, then call again
    want_write,  // wait until it can be written, then call again
    closed,      // the other side has ended the connection, properly or not
    failed,      // what came is not TLS as it should be
};

class TlsConnection {
public:
    // The server's end. The context may be shared; the socket outlives this and is not closed by
    // it.
    TlsConnection(boost::asio::ssl::context& context, int socket);
    TlsConnection(TlsConnection const&) = delete;
    TlsConnection& operator=(TlsConnection const&) = delete;
    ~TlsConnection();

    TlsState handshake();
    // `count` is more than zero with `done`, and only then.
    TlsState read(std::span<char> into, std::size_t& count);
    // Writes some of it; `count` as for read. After want_… call again with the same bytes.
    TlsState write(std::string_view bytes, std::size_t& count);
    // Bytes were taken from the socket and not read yet: do not wait for the socket before a read.
    bool has_unread() const;
    // Says goodbye, once, without waiting for the other side's.
    void shutdown();

private:
    TlsState state_of(int result);
    ssl_st* ssl_;
};

}  // namespace florin::crypto
