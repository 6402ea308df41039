#include "tools/banksim/dialect.h"

#include <array>
#include <utility>

namespace florin::banksim {
namespace {

using connectors::iso8583::Message;
using connectors::iso8583::OriginalData;

bool is_1993(Message const& message) {
    return message.mti().starts_with('1');
}

// Field 39 of 1987 and of 1993, for what does not depend on the kind of message.
constexpr std::array<std::pair<std::string_view, std::string_view>, 20> kCodes{{
    {"01", "107"}, {"02", "108"}, {"04", "200"}, {"05", "100"}, {"10", "002"},
    {"12", "902"}, {"13", "110"}, {"14", "111"}, {"25", "914"}, {"30", "904"},
    {"41", "208"}, {"43", "209"}, {"51", "116"}, {"54", "101"}, {"57", "119"},
    {"61", "121"}, {"82", "122"}, {"91", "912"}, {"94", "913"}, {"96", "909"},
}};
constexpr std::string_view kPrivate = "999";  // what has no counterpart

std::string_view action_code(Message const& wire, std::string_view code) {
    if (code.size() == 3) {
        return code;  // a fault rule says it in the words of 1993
    }
    if (code == "00") {
        switch (wire.mti()[1]) {
            case '4': return "400";
            case '8': return "800";
            default: return wire.mti()[2] == '2' ? "901" : "000";
        }
    }
    for (auto const& [old_code, new_code] : kCodes) {
        if (old_code == code) {
            return new_code;
        }
    }
    return kPrivate;
}

// The currency of totals, and they themselves: alike in both versions.
constexpr std::array kTotals{50, 74, 75, 76, 77, 86, 87, 88, 89, 97};

void copy(Message const& from, Message& to, int field) {
    if (from.has(field)) {
        to.set(field, from.get(field));
    }
}

}  // namespace

Message to_1987(Message const& wire) {
    if (!is_1993(wire)) {
        return wire;
    }
    Message plain{"0" + wire.mti().substr(1)};
    for (int const field : {2, 3, 4, 7, 11, 14, 32, 33, 37, 38, 41, 42, 48, 49, 63}) {
        copy(wire, plain, field);
    }
    // The time by which both sides know a message: its year is not part of that in 1987.
    if (auto const time = wire.get(12); time.size() == 12) {
        plain.set(7, time.substr(2));
        plain.set(12, time.substr(6));
        plain.set(13, time.substr(2, 4));
    }
    if (wire.has(26)) {
        plain.set(18, wire.get(26));
    }
    auto const where = wire.get(22);
    bool const is_mail_or_telephone = where.size() == 12 && (where[4] == '2' || where[4] == '3');
    plain.set(25, is_mail_or_telephone ? "08" : "59");
    if (wire.mti()[1] == '5') {
        for (int const field : kTotals) {
            copy(wire, plain, field);
        }
        if (wire.get(28).size() == 6) {
            plain.set(15, wire.get(28).substr(2));
        }
    }
    if (wire.get(24) == "401") {
        plain.set(95, std::string{wire.get(4)} + "000000000000C00000000C00000000");
        plain.set(4, wire.get(30).substr(0, 12));
    }
    if (auto const original = connectors::iso8583::parse_original_data_1993(wire.get(56))) {
        plain.set(
            90,
            connectors::iso8583::original_data_text(OriginalData{
                .mti = "0" + original->mti.substr(1),
                .stan = original->stan,
                .transmission_time = original->transmission_time.substr(2),
                .acquirer = original->acquirer,
                .forwarder = {},
            })
        );
    }
    return plain;
}

Message answer_in_version_of(Message const& wire, Message answer, std::string_view now) {
    if (!is_1993(wire)) {
        return answer;
    }
    Message translated{"1" + answer.mti().substr(1)};
    for (int const field : {3, 11, 32, 33, 37, 38, 41, 42, 48, 49, 63}) {
        copy(answer, translated, field);
    }
    copy(wire.mti()[1] == '4' ? wire : answer, translated, 4);
    translated.set(7, now);
    for (int const field : {12, 24, 56}) {
        copy(wire, translated, field);
    }
    if (wire.mti()[1] != '5') {
        translated.set(39, action_code(wire, answer.get(39)));
        return translated;
    }
    copy(wire, translated, 28);
    for (int const field : kTotals) {
        copy(answer, translated, field);
    }
    auto const settlement_code = answer.get(66);
    translated.set(
        39,
        settlement_code == "1"   ? "500"
        : settlement_code == "2" ? "501"
                                 : action_code(wire, answer.get(39))
    );
    return translated;
}

}  // namespace florin::banksim
