// From the bytes of a connection to its requests, without sockets: what HTTP/1.1 is taken, and what
// is said of bytes that are not.
//
// The reader holds what was read ahead, within bounds: a head of header_bytes_max and 64 KiB more
// (a chunk extension that never ends, or a pipeline). How the bytes were cut into pieces makes no
// difference to what they mean. A trailer is read and dropped. Beast parses, and stays in the .cc
// file. Thread rule: one thread at a time.
#pragma once

#include "daemon/http/message.h"
#include "daemon/http/server.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace florin::http {

// What is answered to bytes that are not a request; the connection ends with it.
struct Complaint {
    int status = 400;
    std::string message;
};

enum class Reading {
    needs_bytes,     // add() more, then read() again
    wants_continue,  // the client waits for "100 Continue" before it sends a body; said once
    whole,           // take() it
    broken,          // see complaint(); nothing more is read
};

class RequestReader {
public:
    // The limits outlive the reader.
    explicit RequestReader(ServerLimits const& limits);
    RequestReader(RequestReader const&) = delete;
    RequestReader& operator=(RequestReader const&) = delete;
    ~RequestReader();

    void add(std::string_view bytes);
    // Goes on with the request that is being read, as far as the bytes go.
    Reading read();
    // The request that is whole, without request_id and peer. read() then begins the next one.
    Request take();
    // Of the request taken last: another one may follow it on this connection.
    bool keeps_alive() const;
    // After `broken`.
    Complaint const& complaint() const;

    // Neither bytes nor a part of a request are there.
    bool is_idle() const;
    // Drops what is there, also memory that an idle connection should not hold.
    void clear();

private:
    struct Parsing;  // of one request
    Reading refuse(int status, std::string message);
    Reading head_is_whole();

    ServerLimits const& limits_;
    std::string unread_;
    std::size_t parsed_ = 0;  // of it
    std::unique_ptr<Parsing> parsing_;
    Request request_;
    bool keeps_alive_ = false;
    Complaint complaint_;
};

// %-decodes a path, but for slashes, which stay "%2F". nullopt: a bad escape or a zero byte.
std::optional<std::string> decode_path(std::string_view text);

}  // namespace florin::http
