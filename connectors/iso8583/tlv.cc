#include "connectors/iso8583/tlv.h"

#include <algorithm>
#include <string>

namespace florin::connectors::iso8583 {
namespace {

constexpr int kTagBytesMax = 3;
constexpr unsigned kConstructed = 0x20;
constexpr unsigned kMoreTagBytes = 0x1F;
constexpr unsigned kLongForm = 0x80;
constexpr unsigned kLengthBytesMax = 2;

std::unexpected<Error> bad(std::size_t left, char const* what) {
    return fail(
        Errc::malformed,
        std::string{"BER-TLV, "} + std::to_string(left) + " bytes before its end: " + what
    );
}

// Takes one byte; nullopt at the end.
std::optional<unsigned> take(ByteView& rest) {
    if (rest.empty()) {
        return std::nullopt;
    }
    auto const byte = static_cast<unsigned char>(rest.front());
    rest.remove_prefix(1);
    return byte;
}

bool is_constructed(std::uint32_t tag) {
    while (tag > 0xFF) {
        tag >>= 8;
    }
    return (tag & kConstructed) != 0;
}

Result<void> check_level(ByteView data, int depth) {
    if (depth > kTlvDepthMax) {
        return fail(Errc::out_of_range, "BER-TLV: objects are nested too deeply");
    }
    while (true) {
        FLORIN_TRY(auto const object, next_tlv(data));
        if (!object) {
            return {};
        }
        if (is_constructed(object->tag)) {
            FLORIN_TRY_VOID(check_level(object->value, depth + 1));
        }
    }
}

}  // namespace

Result<std::optional<TlvObject>> next_tlv(ByteView& rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of('\0'), rest.size()));
    auto byte = take(rest);
    if (!byte) {
        return std::nullopt;
    }
    TlvObject object{.tag = *byte, .value = {}};
    if ((*byte & kMoreTagBytes) == kMoreTagBytes) {
        for (int bytes = 2;; ++bytes) {
            if (bytes > kTagBytesMax) {
                return bad(rest.size(), "a tag is longer than three bytes");
            }
            byte = take(rest);
            if (!byte) {
                return bad(rest.size(), "it ends inside a tag");
            }
            if (bytes == 2 && (*byte & ~kLongForm) == 0) {
                return bad(rest.size(), "a tag is longer than it needs to be");
            }
            object.tag = object.tag << 8 | *byte;
            if ((*byte & kLongForm) == 0) {
                break;
            }
        }
    }
    byte = take(rest);
    if (!byte) {
        return bad(rest.size(), "a tag has no length");
    }
    std::size_t length = *byte;
    if ((*byte & kLongForm) != 0) {
        auto const count = *byte & ~kLongForm;
        if (count == 0 || count > kLengthBytesMax) {
            return bad(rest.size(), "a length is indefinite or longer than two bytes");
        }
        length = 0;
        for (unsigned i = 0; i < count; ++i) {
            byte = take(rest);
            if (!byte) {
                return bad(rest.size(), "it ends inside a length");
            }
            length = length << 8 | *byte;
        }
    }
    if (length > rest.size()) {
        return bad(rest.size(), "a value is longer than what is left");
    }
    object.value = rest.substr(0, length);
    rest.remove_prefix(length);
    return object;
}

Result<void> check_tlv(ByteView data) {
    if (data.size() > kTlvBytesMax) {
        return fail(Errc::out_of_range, "BER-TLV: " + std::to_string(data.size()) + " bytes");
    }
    return check_level(data, 1);
}

std::optional<ByteView> find_tlv(ByteView data, std::uint32_t tag) {
    while (true) {
        auto const object = next_tlv(data);
        if (!object || !*object) {
            return std::nullopt;
        }
        if ((*object)->tag == tag) {
            return (*object)->value;
        }
    }
}

}  // namespace florin::connectors::iso8583
