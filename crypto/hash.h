// SHA-256 (FIPS 180-4): the hash of the journal's chain and of everything named by digest.
// Thread rule: sha256 may be called from any thread; a Sha256 belongs to one thread at a time.
#pragma once

#include "ledger/base/bytes.h"

#include <array>
#include <memory>
#include <string>

namespace florin::crypto {

using Digest = std::array<unsigned char, 32>;

Digest sha256(ByteView bytes);

// The same over pieces; finish() makes it ready for the next message.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    void update(ByteView bytes);
    Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// 64 lower-case hexadecimal digits.
std::string hex(Digest const& digest);

}  // namespace florin::crypto
