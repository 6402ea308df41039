// Message authentication on a link: which key counts when, and MACs in field 64 or 128.
//
// Where the MAC is: in field 64, or in field 128 where any field above 64 is present; that is the
// last field of the message, and the other of the two must be absent. What it is computed over: the
// bytes of the encoded message, without the length of its frame, from the MTI to the end of the
// last field before the MAC; in them the bitmap already says that the MAC's field is present. What
// is sent: the first 8 bytes of the MAC.
//
// Which key: a link has a key from its configuration, or gets one by key exchange after each
// sign-on. With a key from configuration every message bears a MAC. With key exchange every message
// does but those of network management before the connection has its first key, and the answer to a
// request that bore none. A key that is replaced stays good for what still comes for a configured
// time (grace), the last eight of them at most. A key exchange is answered under the key that its
// request came under.
//
// Thread rule: MacKeys belongs to one thread.
#pragma once

#include "connectors/iso8583/codec.h"
#include "crypto/mac.h"

#include <chrono>
#include <deque>
#include <optional>
#include <string>

namespace florin::connectors::iso8583 {

// The message with its MAC, encoded. A field 64 or 128 that it has already is replaced.
Result<std::string> encode_with_mac(
    Message message, Packaging const& packaging, crypto::MacAlgorithm algorithm, KeyBytes const& key
);

// `message` is what `bytes` decode to. False too where the MAC is missing or in the wrong field.
bool has_right_mac(
    ByteView bytes,
    Message const& message,
    Packaging const& packaging,
    crypto::MacAlgorithm algorithm,
    KeyBytes const& key
);

// One of the two keys. Without either: no message bears a MAC.
struct MacOptions {
    crypto::MacAlgorithm algorithm = crypto::MacAlgorithm::aes_cmac;
    KeyBytes key;
    KeyBytes key_encryption_key;
    unsigned grace_ms = 60'000;
};

// Errc::malformed and Errc::refused for keys that do not fit the algorithm, for both keys at once,
// for a packaging without fields 64 and 128 as "b8" or, with key exchange, without a place for a
// key block.
Result<void> check_mac_options(MacOptions const& options, Packaging const& packaging);

class MacKeys {
public:
    using Time = std::chrono::steady_clock::time_point;

    explicit MacKeys(MacOptions options);

    // Messages bear MACs on this link.
    bool is_used() const { return is_used_; }
    // A new connection: an exchanged key counts only for what still comes.
    void start_connection(Time now);
    // The connection has no key yet and cannot get on without.
    bool wants_exchange() const { return is_used_ && key_.empty(); }
    bool takes_exchange() const { return !options_.key_encryption_key.empty(); }

    // The key in a key block (hexadecimal), not yet in force. Errc::refused where the link has no
    // key-encryption key, Errc::malformed, Errc::corrupt.
    Result<KeyBytes> open(std::string_view block) const;
    // For the side that makes keys. Errc::refused as above.
    Result<std::string> block_of(KeyBytes const& key) const;
    void install(KeyBytes key, Time now);

    // With a MAC, or without one where none can be had yet.
    Result<std::string> encode(Message const& message, Packaging const& packaging) const;

    enum class Check { good, missing, wrong };
    // `is_keying`: the connection's first key exchange is under way, whose request bore no MAC.
    Check check(
        ByteView bytes, Message const& message, Packaging const& packaging, bool is_keying, Time now
    ) const;

private:
    void retire(Time now);

    MacOptions options_;
    bool is_used_;
    struct Retired {
        KeyBytes key;
        Time until;
    };
    KeyBytes key_;                 // in force; empty: none yet
    std::deque<Retired> retired_;  // the latest first; bounded, a MAC is tried under each
};

}  // namespace florin::connectors::iso8583
