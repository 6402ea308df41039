// An ISO 8583 message as values, whatever its bytes look like (codec.h): its fields, and what some
// of them are made of.
//
// A message wipes its values when it dies, and only describe() makes them printable, with card data
// left out. Thread rule: values and pure functions.
#pragma once

#include "connectors/iso8583/packaging.h"
#include "ledger/base/money.h"
#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace florin::connectors::iso8583 {

// Values are text as the standard writes it: digits, letters, "C00000100" for x+n; b fields are raw
// bytes. In a decoded message fixed fields have their full length. In one that is to be encoded a
// fixed n field may be shorter (zeros are put before it) and a fixed an or ans field may be shorter
// (spaces are put after it).
class Message {
public:
    Message() = default;
    explicit Message(std::string mti) : mti_{std::move(mti)} {}

    std::string const& mti() const { return mti_; }
    void set_mti(std::string mti) { mti_ = std::move(mti); }

    bool has(int field) const { return fields_.contains(field); }
    // The value, empty where the field is absent. Valid until the message changes.
    std::string_view get(int field) const;
    // The same without the spaces at the end.
    std::string_view trimmed(int field) const;
    void set(int field, std::string_view value);
    void erase(int field) { fields_.erase(field); }

    // Field 4 and 49, alike in both versions: 12 digits of ISO minor units, numeric currency.
    // Errc::out_of_range for an amount below zero or of more than 12 digits.
    Result<void> set_amount(Money amount);
    // Errc::not_found without field 4 or 49, Errc::malformed for an unknown currency.
    Result<Money> amount() const;
    void set_pan(Pan const& pan) { set(2, pan.reveal()); }
    Pan pan() const { return Pan{get(2)}; }
    // 1 to 999999.
    void set_stan(std::uint32_t stan);

    using Value = Secret<struct FieldValueTag>;
    std::map<int, Value> const& fields() const { return fields_; }
    friend bool operator==(Message const& a, Message const& b);

private:
    std::string mti_;
    std::map<int, Value> fields_;
};

// Field 90 (original data elements): MTI 4, STAN 6, field 7 10, acquirer 11, forwarder 11.
struct OriginalData {
    std::string mti;
    std::string stan;
    std::string transmission_time;
    std::string acquirer;   // as in field 32, may be empty: zeros
    std::string forwarder;  // as in field 33, may be empty: zeros
};
std::string original_data_text(OriginalData const& original);
// Errc::malformed for anything but 42 digits.
Result<OriginalData> parse_original_data(std::string_view text);

// The same of ISO 8583:1993, field 56: MTI 4, STAN 6, field 12 12, length of the acquirer's id 2,
// the id. `transmission_time` is field 12 (YYMMDDhhmmss), and there is no forwarder.
std::string original_data_text_1993(OriginalData const& original);
// Errc::malformed for anything but 24 digits and an id of the length that they say.
Result<OriginalData> parse_original_data_1993(std::string_view text);

// Adds a sub-element to a private field (packaging.h, ElementPlace): nothing where there is no
// place or no value. Errc::out_of_range for more than 99 characters.
Result<void> add_element(Message& message, ElementPlace const& place, std::string_view value);
// The value of a sub-element, empty where it is absent or the field is not made of sub-elements.
// Valid until the message changes.
std::string_view element(Message const& message, ElementPlace const& place);

// "0110", "1814": what answers this MTI; repeats ("0221") have the answer of the first message.
std::string answer_mti(std::string_view mti);
// "0220": the MTI first sent where this is a repeat's ("0221"). ISO 8583:1987 has the acquirer's
// repeats only, :1993 those of issuers (3 after 2) and of others (5 after 4) too.
std::string first_mti(std::string_view mti);
// True where the MTI is a request or an advice, which wants an answer.
bool wants_answer(std::string_view mti);

// "0110 2=************4242 4=000000004500 39=00 55=[21]": for people. Fields that may hold card or
// personal data show only their size, the card number its last four digits.
std::string describe(Message const& message);

}  // namespace florin::connectors::iso8583
