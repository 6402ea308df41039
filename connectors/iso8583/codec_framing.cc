#include "connectors/iso8583/codec_framing.h"

#include <cstring>

namespace florin::connectors::iso8583 {
namespace {

constexpr std::size_t kFeedUsual = 16'384;  // more than a socket's reader feeds at once

std::size_t prefix_bytes(FrameLength form) {
    return form == FrameLength::ascii4 ? 4 : 2;
}

// nullopt for a prefix that is no number.
std::optional<std::size_t> length_of(ByteView prefix, FrameLength form) {
    std::size_t length = 0;
    for (char const c : prefix) {
        auto const byte = static_cast<unsigned char>(c);
        switch (form) {
            case FrameLength::binary2: length = length << 8 | byte; break;
            case FrameLength::ascii4:
                if (byte < '0' || byte > '9') {
                    return std::nullopt;
                }
                length = length * 10 + (byte - '0');
                break;
            case FrameLength::bcd2:
                if (byte >> 4 > 9 || (byte & 0xF) > 9) {
                    return std::nullopt;
                }
                length = (length * 10 + (byte >> 4)) * 10 + (byte & 0xF);
                break;
        }
    }
    return length;
}

}  // namespace

Result<std::string> frame(ByteView message, Packaging const& packaging) {
    if (message.size() > packaging.frame_bytes_max) {
        return fail(
            Errc::out_of_range,
            "ISO 8583 frame: " + std::to_string(message.size()) + " bytes, at most " +
                std::to_string(packaging.frame_bytes_max)
        );
    }
    std::string out;
    out.reserve(message.size() + 4);
    auto length = message.size();
    switch (packaging.frame_length) {
        case FrameLength::binary2: ByteWriter{out}.big(static_cast<std::uint16_t>(length)); break;
        case FrameLength::ascii4:
            for (std::size_t const unit : {1000U, 100U, 10U, 1U}) {
                out.push_back(static_cast<char>('0' + length / unit % 10));
            }
            break;
        case FrameLength::bcd2:
            for (std::size_t const unit : {100U, 1U}) {
                auto const pair = length / unit % 100;
                out.push_back(static_cast<char>(pair / 10 << 4 | pair % 10));
            }
            break;
    }
    out += message;
    return out;
}

FrameReader::FrameReader(Packaging const& packaging)
    : form_{packaging.frame_length}, bytes_max_{packaging.frame_bytes_max} {
    // Never grows past one message and one read in the usual case: no unwiped copies.
    buffer_.reserve(bytes_max_ + kFeedUsual);
}

FrameReader::~FrameReader() {
    explicit_bzero(buffer_.data(), buffer_.size());
}

void FrameReader::drop_taken() {
    if (taken_ == 0) {
        return;
    }
    auto const left = buffer_.size() - taken_;
    std::memmove(buffer_.data(), buffer_.data() + taken_, left);
    explicit_bzero(buffer_.data() + left, taken_);
    buffer_.resize(left);
    taken_ = 0;
}

void FrameReader::feed(ByteView bytes) {
    drop_taken();
    buffer_ += bytes;
}

Result<std::optional<ByteView>> FrameReader::next() {
    auto const prefix = prefix_bytes(form_);
    while (true) {
        auto const left = ByteView{buffer_}.substr(taken_);
        if (left.size() < prefix) {
            return std::nullopt;
        }
        auto const length = length_of(left.substr(0, prefix), form_);
        if (!length || *length > bytes_max_) {
            return fail(
                Errc::malformed,
                length ? "ISO 8583 frame: " + std::to_string(*length) + " bytes, at most " +
                             std::to_string(bytes_max_)
                       : std::string{"ISO 8583 frame: its length is no number"}
            );
        }
        if (left.size() < prefix + *length) {
            return std::nullopt;
        }
        taken_ += prefix + *length;
        if (*length != 0) {
            return left.substr(prefix, *length);
        }
    }
}

}  // namespace florin::connectors::iso8583
