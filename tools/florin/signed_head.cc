#include "tools/florin/signed_head.h"

#include "crypto/base64.h"

#include <nlohmann/json.hpp>

#include <cstring>

namespace florin::tools {
namespace {

using nlohmann::json;

constexpr std::string_view kFormat = "florin ledger head v1";

struct Member {
    json const& object;
    std::string const& file;

    Result<std::string> text(char const* name) const {
        auto const found = object.find(name);
        if (found == object.end() || !found->is_string()) {
            return fail(Errc::malformed, file + ": has no text '" + name + "'");
        }
        return found->get<std::string>();
    }
    std::unexpected<Error> bad(char const* name, char const* expected) const {
        return fail(Errc::malformed, file + ": '" + name + "' is not " + expected);
    }
    // The bytes of a text, in the one way to write them.
    template <std::size_t size>
    Result<std::array<unsigned char, size>> hexadecimal(char const* name) const {
        FLORIN_TRY(std::string const digits, text(name));
        auto const bytes = from_hex(digits);
        std::array<unsigned char, size> value{};
        if (!bytes || bytes->size() != size || to_hex(*bytes) != digits) {
            return bad(name, "lower-case hexadecimal digits of the right number");
        }
        std::memcpy(value.data(), bytes->data(), size);
        return value;
    }
    Result<std::uint64_t> decimal(char const* name) const {
        FLORIN_TRY(std::string const digits, text(name));
        auto const value = parse_u128(digits);
        if (!value || high_bits(*value) != 0 || to_string(*value) != digits) {
            return bad(name, "a decimal number of 64 bits");
        }
        return low_bits(*value);
    }
    Result<std::string> base64(char const* name) const {
        FLORIN_TRY(std::string const encoded, text(name));
        auto bytes = crypto::from_base64(encoded);
        if (!bytes) {
            return bad(name, "base64");
        }
        return std::move(*bytes);
    }
};

Result<SignedHead> read(Member const& member) {
    FLORIN_TRY(std::string const format, member.text("format"));
    if (format != kFormat) {
        return fail(
            Errc::unsupported,
            member.file + ": is of another format than '" + std::string{kFormat} + "'"
        );
    }
    SignedHead signed_head;
    auto& head = signed_head.head;
    FLORIN_TRY(head.ledger_id, member.hexadecimal<16>("ledger_id"));
    FLORIN_TRY(head.position.sequence, member.decimal("sequence"));
    FLORIN_TRY(head.position.hash, member.hexadecimal<32>("hash"));
    FLORIN_TRY(head.time, member.decimal("time"));
    if (head.position.sequence == 0) {
        return member.bad("sequence", "that of a record: they are numbered from 1");
    }
    FLORIN_TRY(std::string const key, member.base64("public_key"));
    FLORIN_TRY(
        signed_head.public_key, crypto::PublicKey::from_der(key, member.file + ": 'public_key'")
    );
    FLORIN_TRY(std::string const signature, member.base64("signature"));
    if (signature.size() != signed_head.signature.size()) {
        return member.bad("signature", "of 64 bytes");
    }
    std::memcpy(signed_head.signature.data(), signature.data(), signature.size());
    if (member.object.size() != 7) {
        return fail(Errc::malformed, member.file + ": has members that nothing signs");
    }
    return signed_head;
}

}  // namespace

std::string signed_text(ledger::PinnedHead const& head) {
    return std::string{kFormat} + "\nledger_id " + to_hex(view(head.ledger_id)) + "\nsequence " +
           std::to_string(head.position.sequence) + "\nhash " + crypto::hex(head.position.hash) +
           "\ntime " + std::to_string(head.time) + "\n";
}

bool SignedHead::is_signed() const {
    return crypto::is_signature_of(public_key, signed_text(head), signature);
}

Result<SignedHead> sign_head(ledger::PinnedHead const& head, crypto::SigningKey const& key) {
    FLORIN_TRY(crypto::Signature const signature, key.sign(signed_text(head)));
    return SignedHead{.head = head, .public_key = key.public_key(), .signature = signature};
}

std::string to_json(SignedHead const& signed_head) {
    auto const& head = signed_head.head;
    nlohmann::ordered_json const object{
        {"format", kFormat},
        {"ledger_id", to_hex(view(head.ledger_id))},
        {"sequence", std::to_string(head.position.sequence)},
        {"hash", crypto::hex(head.position.hash)},
        {"time", std::to_string(head.time)},
        {"public_key", crypto::base64(signed_head.public_key.der())},
        {"signature", crypto::base64(view(signed_head.signature))},
    };
    return object.dump();
}

Result<SignedHead> parse_signed_head(std::string_view text, std::string const& name) {
    json const object = json::parse(text, nullptr, false);
    if (object.is_discarded() || !object.is_object()) {
        return fail(Errc::malformed, name + ": is not a JSON object");
    }
    return read({object, name});
}

}  // namespace florin::tools
