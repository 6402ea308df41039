#include "connectors/iso8583/message.h"

#include "connectors/iso8583/digits.h"

#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

// What describe() shows as it is, by version. Everything else is card data, personal, or not known
// to be harmless.
std::set<int> const kPrintable1987{3,  4,  5,  6,  7,  11, 12, 13, 15, 17, 18, 22, 24, 25,
                                   32, 33, 37, 38, 39, 41, 42, 49, 50, 51, 66, 70, 90, 95};
std::set<int> const kPrintable1993{3,  4,  5,  6,  7,  11, 12, 15, 17, 18, 22, 24, 25,
                                   26, 30, 32, 33, 37, 38, 39, 41, 42, 49, 50, 51, 56};

}  // namespace

std::string_view Message::get(int field) const {
    auto const found = fields_.find(field);
    return found == fields_.end() ? std::string_view{} : found->second.reveal();
}

std::string_view Message::trimmed(int field) const {
    auto const value = get(field);
    auto const last = value.find_last_not_of(' ');
    return last == std::string_view::npos ? std::string_view{} : value.substr(0, last + 1);
}

void Message::set(int field, std::string_view value) {
    fields_.insert_or_assign(field, Value{value});
}

void Message::set_stan(std::uint32_t stan) {
    set(11, decimal(stan, 6));
}

Result<void> Message::set_amount(Money amount) {
    constexpr std::int64_t kTwelveDigits = 999'999'999'999;
    if (amount.minor < 0 || amount.minor > kTwelveDigits) {
        return fail(
            Errc::out_of_range,
            "ISO 8583 field 4 holds 0 to 12 digits of minor units, not " + to_string(amount)
        );
    }
    set(4, decimal(static_cast<std::size_t>(amount.minor), 12));
    set(49, decimal(amount.currency.numeric(), 3));
    return {};
}

Result<Money> Message::amount() const {
    if (!has(4) || !has(49)) {
        return fail(Errc::not_found, "ISO 8583 fields 4 and 49: no amount with a currency");
    }
    std::int64_t minor = 0;
    std::uint16_t code = 0;
    auto const digits = get(4);
    auto const numeric = get(49);
    if (digits.empty() || digits.size() > 12 || !all_digits(digits) || numeric.size() != 3 ||
        !all_digits(numeric)) {
        return fail(Errc::malformed, "ISO 8583 fields 4 and 49: not digits");
    }
    std::from_chars(digits.data(), digits.data() + digits.size(), minor);
    std::from_chars(numeric.data(), numeric.data() + numeric.size(), code);
    auto const currency = Currency::from_numeric(code);
    if (!currency) {
        return fail(Errc::malformed, "ISO 8583 field 49: unknown currency");
    }
    return Money{minor, *currency};
}

bool operator==(Message const& a, Message const& b) {
    return a.mti_ == b.mti_ && std::equal(
                                   a.fields_.begin(),
                                   a.fields_.end(),
                                   b.fields_.begin(),
                                   b.fields_.end(),
                                   [](auto const& x, auto const& y) {
                                       return x.first == y.first &&
                                              x.second.reveal() == y.second.reveal();
                                   }
                               );
}

std::string original_data_text(OriginalData const& original) {
    auto const eleven = [](std::string const& id) {
        return id.size() < 11 ? std::string(11 - id.size(), '0') + id : id;
    };
    return original.mti + original.stan + original.transmission_time + eleven(original.acquirer) +
           eleven(original.forwarder);
}

Result<OriginalData> parse_original_data(std::string_view text) {
    if (text.size() != 42 || !all_digits(text)) {
        return fail(Errc::malformed, "ISO 8583:1987 field 90: not 42 digits");
    }
    return OriginalData{
        .mti = std::string{text.substr(0, 4)},
        .stan = std::string{text.substr(4, 6)},
        .transmission_time = std::string{text.substr(10, 10)},
        .acquirer = std::string{text.substr(20, 11)},
        .forwarder = std::string{text.substr(31, 11)},
    };
}

std::string original_data_text_1993(OriginalData const& original) {
    return original.mti + original.stan + original.transmission_time +
           decimal(original.acquirer.size(), 2) + original.acquirer;
}

Result<OriginalData> parse_original_data_1993(std::string_view text) {
    constexpr std::size_t kFixed = 24;
    auto const malformed = [](char const* what) {
        return fail(Errc::malformed, std::string{"ISO 8583:1993 field 56: "} + what);
    };
    if (text.size() < kFixed || !all_digits(text)) {
        return malformed("not 24 digits or more");
    }
    auto const acquirer = text.substr(kFixed);
    if (decimal(acquirer.size(), 2) != text.substr(kFixed - 2, 2) || acquirer.size() > 11) {
        return malformed("its acquirer has not the length that it says");
    }
    return OriginalData{
        .mti = std::string{text.substr(0, 4)},
        .stan = std::string{text.substr(4, 6)},
        .transmission_time = std::string{text.substr(10, 12)},
        .acquirer = std::string{acquirer},
        .forwarder = {},
    };
}

std::string answer_mti(std::string_view mti) {
    auto answer = first_mti(mti);
    if (answer.size() == 4) {
        answer[2] = static_cast<char>(answer[2] + 1);
    }
    return answer;
}

std::string first_mti(std::string_view mti) {
    std::string first{mti.substr(0, 4)};
    if (first.size() == 4) {
        first[3] = static_cast<char>(first[3] - (first[3] - '0') % 2);
    }
    return first;
}

bool wants_answer(std::string_view mti) {
    return mti.size() == 4 && (mti[2] == '0' || mti[2] == '2');
}

Result<void> add_element(Message& message, ElementPlace const& place, std::string_view value) {
    constexpr std::size_t kValueMax = 99;
    if (place.field == 0 || value.empty()) {
        return {};
    }
    if (value.size() > kValueMax) {
        return fail(
            Errc::out_of_range,
            "a sub-element of field " + std::to_string(place.field) + " is too long"
        );
    }
    auto const before = message.get(place.field);
    std::string text;
    text.reserve(before.size() + place.tag.size() + 2 + value.size());  // one buffer, wiped below
    text += before;
    text += place.tag;
    text += static_cast<char>('0' + value.size() / 10);
    text += static_cast<char>('0' + value.size() % 10);
    text += value;
    Message::Value const whole{std::move(text)};
    message.set(place.field, whole.reveal());
    return {};
}

std::string_view element(Message const& message, ElementPlace const& place) {
    constexpr std::size_t kHead = 4;
    if (place.field == 0) {
        return {};
    }
    std::string_view rest = message.get(place.field);
    std::string_view found;
    while (!rest.empty()) {
        if (rest.size() < kHead || !is_digit(rest[2]) || !is_digit(rest[3])) {
            return {};
        }
        auto const size = static_cast<std::size_t>((rest[2] - '0') * 10 + (rest[3] - '0'));
        if (rest.size() - kHead < size) {
            return {};
        }
        if (found.empty() && rest.substr(0, 2) == place.tag) {
            found = rest.substr(kHead, size);
        }
        rest.remove_prefix(kHead + size);
    }
    return found;
}

std::string describe(Message const& message) {
    std::string text = message.mti();
    auto const& printable = text.starts_with('1') ? kPrintable1993 : kPrintable1987;
    for (auto const& [number, value] : message.fields()) {
        text += ' ' + std::to_string(number) + '=';
        if (number == 2) {
            text += masked(message.pan());
        } else if (printable.contains(number)) {
            text += message.trimmed(number);
        } else {
            text += '[' + std::to_string(value.size()) + ']';
        }
    }
    return text;
}

}  // namespace florin::connectors::iso8583
