// Messages on a byte stream: a length, then that many bytes.
//
// FrameReader is a pure incremental parser: bytes in as they come, whole messages out. What it has
// handed out is wiped. A length of zero is a keep-alive of some hosts and is skipped.
// Thread rule: a FrameReader belongs to one thread at a time.
#pragma once

#include "connectors/iso8583/packaging.h"
#include "ledger/base/bytes.h"
#include "ledger/base/result.h"

#include <optional>
#include <string>

namespace florin::connectors::iso8583 {

// The message with its length before it. Errc::out_of_range above the packaging's bytes_max.
Result<std::string> frame(ByteView message, Packaging const& packaging);

class FrameReader {
public:
    explicit FrameReader(Packaging const& packaging);
    ~FrameReader();
    FrameReader(FrameReader const&) = delete;
    FrameReader& operator=(FrameReader const&) = delete;

    void feed(ByteView bytes);
    // The next whole message, nullopt until more bytes come. Errc::malformed for a length that is
    // no number or above bytes_max: the stream cannot be followed any more. The view is valid until
    // the next call of either function.
    Result<std::optional<ByteView>> next();
    // True in the middle of a message: a connection that ends here cut one off.
    bool is_inside_message() const { return taken_ < buffer_.size(); }

private:
    void drop_taken();

    FrameLength form_;
    std::size_t bytes_max_;
    std::string buffer_;
    std::size_t taken_ = 0;  // bytes at the front that next() has handed out
};

}  // namespace florin::connectors::iso8583
