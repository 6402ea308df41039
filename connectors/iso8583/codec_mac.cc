#include "connectors/iso8583/codec_mac.h"

#include "crypto/hmac.h"

#include <algorithm>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

constexpr std::size_t kMacBytes = 8;
constexpr std::size_t kRetiredMax = 8;
constexpr int kFirst = 64;
constexpr int kSecond = 128;

// Where the MAC of a message with these fields belongs.
int mac_field(Message const& message) {
    auto const& fields = message.fields();
    return fields.upper_bound(kFirst) == fields.end() ? kFirst : kSecond;
}

std::size_t wire_bytes(Packaging const& packaging) {
    return packaging.binary == BinaryForm::hex ? 2 * kMacBytes : kMacBytes;
}

Result<std::string> truncated_mac(
    crypto::MacAlgorithm algorithm, KeyBytes const& key, ByteView bytes
) {
    FLORIN_TRY(auto mac, crypto::mac_of(algorithm, key, bytes));
    mac.resize(kMacBytes);
    return mac;
}

bool is_network(Message const& message) {
    return message.mti().size() == 4 && message.mti()[1] == '8';
}

}  // namespace

Result<std::string> encode_with_mac(
    Message message, Packaging const& packaging, crypto::MacAlgorithm algorithm, KeyBytes const& key
) {
    message.erase(kFirst);
    message.erase(kSecond);
    auto const field = mac_field(message);
    // Encoded twice: with zeros in its place for the bitmap that the MAC is computed over, then
    // whole.
    message.set(field, std::string(kMacBytes, '\0'));
    using Wire = Secret<struct UnsealedTag>;
    FLORIN_TRY(auto unsealed, encode(message, packaging));
    Wire const wire{std::move(unsealed)};
    auto const covered = wire.reveal().substr(0, wire.size() - wire_bytes(packaging));
    FLORIN_TRY(auto const mac, truncated_mac(algorithm, key, covered));
    message.set(field, mac);
    return encode(message, packaging);
}

bool has_right_mac(
    ByteView bytes,
    Message const& message,
    Packaging const& packaging,
    crypto::MacAlgorithm algorithm,
    KeyBytes const& key
) {
    // Field 128 is above 64 itself: where it is present it is where the MAC belongs.
    auto const field = mac_field(message);
    bool const has_other = field == kSecond && message.has(kFirst);
    auto const claimed = message.get(field);
    if (has_other || claimed.size() != kMacBytes || bytes.size() < wire_bytes(packaging)) {
        return false;
    }
    auto const mac =
        truncated_mac(algorithm, key, bytes.substr(0, bytes.size() - wire_bytes(packaging)));
    return mac && crypto::equal_constant_time(*mac, claimed);
}

Result<void> check_mac_options(MacOptions const& options, Packaging const& packaging) {
    if (!options.key.empty() && !options.key_encryption_key.empty()) {
        return fail(Errc::malformed, "a link has a key or a key-encryption key, not both");
    }
    if (options.key.empty() && options.key_encryption_key.empty()) {
        return {};
    }
    for (int const field : {kFirst, kSecond}) {
        auto const& spec = packaging.fields[static_cast<std::size_t>(field)];
        if (!spec || spec->kind != FieldKind::binary || spec->length_digits != 0 ||
            spec->length != kMacBytes) {
            return fail(
                Errc::malformed,
                field_title(packaging, field) + ": must be b8 where messages bear a MAC"
            );
        }
    }
    if (!options.key.empty()) {
        return crypto::check_mac_key(options.algorithm, options.key);
    }
    if (packaging.elements.key_block.field == 0) {
        return fail(
            Errc::malformed, "packaging " + packaging.name + ": [elements] has no key_block"
        );
    }
    // Triple DES keys of either length wrap keys of either length.
    auto const kind = options.algorithm == crypto::MacAlgorithm::x919
                          ? crypto::MacAlgorithm::tdes_cmac
                          : options.algorithm;
    return crypto::check_mac_key(kind, options.key_encryption_key);
}

MacKeys::MacKeys(MacOptions options)
    : options_{std::move(options)},
      is_used_{!options_.key.empty() || !options_.key_encryption_key.empty()},
      key_{options_.key} {}

void MacKeys::retire(Time now) {
    std::erase_if(retired_, [now](Retired const& each) { return each.until <= now; });
    if (!key_.empty()) {
        retired_.push_front(
            {.key = std::move(key_), .until = now + std::chrono::milliseconds{options_.grace_ms}}
        );
        key_ = KeyBytes{};
    }
    if (retired_.size() > kRetiredMax) {
        retired_.pop_back();
    }
}

void MacKeys::start_connection(Time now) {
    if (takes_exchange()) {
        retire(now);
    }
}

Result<KeyBytes> MacKeys::open(std::string_view block) const {
    if (!takes_exchange()) {
        return fail(Errc::refused, "this link has no key-encryption key");
    }
    FLORIN_TRY(auto const bytes, from_hex(block));
    return crypto::unwrap_key(options_.algorithm, options_.key_encryption_key, bytes);
}

Result<std::string> MacKeys::block_of(KeyBytes const& key) const {
    if (!takes_exchange()) {
        return fail(Errc::refused, "this link has no key-encryption key");
    }
    FLORIN_TRY(
        auto const block, crypto::wrap_key(options_.algorithm, options_.key_encryption_key, key)
    );
    return to_hex(block);
}

void MacKeys::install(KeyBytes key, Time now) {
    retire(now);
    key_ = std::move(key);
}

Result<std::string> MacKeys::encode(Message const& message, Packaging const& packaging) const {
    if (key_.empty()) {
        return iso8583::encode(message, packaging);
    }
    return encode_with_mac(message, packaging, options_.algorithm, key_);
}

MacKeys::Check MacKeys::check(
    ByteView bytes, Message const& message, Packaging const& packaging, bool is_keying, Time now
) const {
    if (!is_used_) {
        return Check::good;
    }
    auto const is_right = [&](KeyBytes const& key) {
        return !key.empty() && has_right_mac(bytes, message, packaging, options_.algorithm, key);
    };
    bool const is_good = is_right(key_) || std::ranges::any_of(retired_, [&](Retired const& each) {
                             return now < each.until && is_right(each.key);
                         });
    if (is_good) {
        return Check::good;
    }
    bool const has_none = !message.has(kFirst) && !message.has(kSecond);
    if (has_none && is_network(message) && (key_.empty() || is_keying)) {
        return Check::good;
    }
    return has_none ? Check::missing : Check::wrong;
}

}  // namespace florin::connectors::iso8583
