// Byte strings and the fixed-width integers inside them: bounded reading, plain writing.
//
// Records and on-disk structs are little-endian; keys of sorted stores are big-endian so that byte
// order is numeric order. Thread rule: values, no shared state.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/uint128.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace florin {

static_assert(std::endian::native == std::endian::little, "stored structs are little-endian");

using ByteView = std::string_view;  // bytes, not text; std::string owns them

// Unsigned LEB128: 7 bits a byte, least significant first. Answers how many bytes were written.
inline constexpr std::size_t kVarintBytesMax = 19;  // of 128 bits
inline std::size_t put_varint(char* to, u128 value) {
    std::size_t size = 0;
    for (; high_bits(value) != 0; value >>= 7) {
        to[size++] = static_cast<char>(static_cast<unsigned char>((low_bits(value) & 0x7f) | 0x80));
    }
    std::uint64_t low = low_bits(value);
    for (; low >= 128; low >>= 7U) {
        to[size++] = static_cast<char>(static_cast<unsigned char>((low & 0x7f) | 0x80));
    }
    to[size++] = static_cast<char>(static_cast<unsigned char>(low));
    return size;
}

// Appends integers to a byte string.
class ByteWriter {
public:
    explicit ByteWriter(std::string& out) : out_{out} {}

    template <class Integer>
    void little(Integer value) {
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        out_.append(raw, sizeof value);
    }
    template <class Integer>
    void big(Integer value) {
        for (int shift = static_cast<int>(sizeof value) * 8 - 8; shift >= 0; shift -= 8) {
            out_.push_back(static_cast<char>(static_cast<unsigned char>((value >> shift) & 0xff)));
        }
    }
    void varint(u128 value) {
        char raw[kVarintBytesMax];
        out_.append(raw, put_varint(raw, value));
    }
    void raw(ByteView bytes) { out_.append(bytes); }
    // Length as u32, then the bytes.
    void sized(ByteView bytes) {
        little(static_cast<std::uint32_t>(bytes.size()));
        out_.append(bytes);
    }

private:
    std::string& out_;
};

// Reads what ByteWriter wrote. Every read past the end answers Errc::malformed, naming `what`.
class ByteReader {
public:
    ByteReader(ByteView bytes, char const* what) : bytes_{bytes}, what_{what} {}

    std::size_t left() const { return bytes_.size() - at_; }
    std::size_t position() const { return at_; }
    bool at_end() const { return left() == 0; }

    template <class Integer>
    Result<Integer> little() {
        FLORIN_TRY(ByteView const raw, take(sizeof(Integer)));
        Integer value;
        std::memcpy(&value, raw.data(), sizeof value);
        return value;
    }
    template <class Integer>
    Result<Integer> big() {
        FLORIN_TRY(ByteView const raw, take(sizeof(Integer)));
        Integer value = 0;
        for (char const c : raw) {
            value = static_cast<Integer>((value << 8) | static_cast<unsigned char>(c));
        }
        return value;
    }
    Result<u128> varint() {
        u128 value = 0;
        for (unsigned shift = 0; shift < 128; shift += 7) {
            FLORIN_TRY(ByteView const raw, take(1));
            auto const byte = static_cast<unsigned char>(raw[0]);
            auto const bits = static_cast<u128>(byte & 0x7f);
            if (shift > 121 && (bits >> (128 - shift)) != 0) {
                break;
            }
            value |= bits << shift;
            if ((byte & 0x80) == 0) {
                return value;
            }
        }
        return fail(Errc::malformed, std::string{what_} + ": number of more than 128 bits");
    }
    Result<std::uint64_t> varint64() {
        FLORIN_TRY(u128 const value, varint());
        if (high_bits(value) != 0) {
            return fail(Errc::malformed, std::string{what_} + ": number of more than 64 bits");
        }
        return low_bits(value);
    }
    Result<ByteView> take(std::size_t count) {
        if (count > left()) {
            return fail(
                Errc::malformed,
                std::string{what_} + ": ends at byte " + std::to_string(bytes_.size()) +
                    ", wanted " + std::to_string(count) + " more at byte " + std::to_string(at_)
            );
        }
        ByteView const piece = bytes_.substr(at_, count);
        at_ += count;
        return piece;
    }
    Result<ByteView> sized() {
        FLORIN_TRY(auto const count, little<std::uint32_t>());
        return take(count);
    }

private:
    ByteView bytes_;
    char const* what_;
    std::size_t at_ = 0;
};

template <std::size_t N>
ByteView view(std::array<unsigned char, N> const& bytes) {
    return {reinterpret_cast<char const*>(bytes.data()), bytes.size()};
}

// Lower-case hexadecimal, two digits a byte.
std::string to_hex(ByteView bytes);
// Accepts both cases; Errc::malformed for an odd length or another character.
Result<std::string> from_hex(std::string_view text);

// CRC-32C (Castagnoli, RFC 3720 appendix B.4), hardware-assisted where the processor has it.
// Continues from `seed`, the value for the bytes before.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0);

}  // namespace florin
