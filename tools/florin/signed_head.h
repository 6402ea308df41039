// A journal's head with a signature: what an auditor keeps outside (docs/auditing.md).
//
//   signed text := "florin ledger head v1\n"
//                  "ledger_id " 32 hexadecimal digits "\n"
//                  "sequence " decimal "\n"
//                  "hash " 64 hexadecimal digits "\n"
//                  "time " decimal "\n"               nanoseconds since 1970 UTC
//   file        := one JSON object of texts: format (the first line above without its end),
//                  ledger_id, sequence, hash, time as in the text, public_key (base64 of its
//                  SubjectPublicKeyInfo), signature (base64 of Ed25519 over the signed text)
//
// The first line keeps a signature from meaning anything else, and is another one for another
// version. Hexadecimal digits are lower case, decimals without leading zeros: one head has one
// text. Thread rule: pure functions.
#pragma once

#include "crypto/signature.h"
#include "ledger/pinned_head.h"

#include <filesystem>
#include <string>

namespace florin::tools {

struct SignedHead {
    ledger::PinnedHead head;
    crypto::PublicKey public_key;
    crypto::Signature signature{};

    bool is_signed() const;
};

std::string signed_text(ledger::PinnedHead const& head);
Result<SignedHead> sign_head(ledger::PinnedHead const& head, crypto::SigningKey const& key);

// One line without its end.
std::string to_json(SignedHead const& head);
// Errc::malformed names `name` and the member. Does not check the signature.
Result<SignedHead> parse_signed_head(std::string_view text, std::string const& name);

}  // namespace florin::tools
