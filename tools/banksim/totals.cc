// The book's totals of a business date, for 0500 and 0520: by field 7 of what was booked.
#include "ledger/base/calendar.h"
#include "tools/banksim/book.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace florin::banksim {
namespace {

constexpr std::string_view kInBalance = "1";  // field 66
constexpr std::string_view kOutOfBalance = "2";
constexpr std::string_view kError = "3";

// The fields that are compared: numbers, and the net with its sign before it.
constexpr std::array kTotals{74, 75, 76, 77, 86, 87, 88, 89};
constexpr int kNet = 97;

std::string_view without_zeros(std::string_view digits) {
    auto const first = digits.find_first_not_of('0');
    return first == std::string_view::npos ? "0" : digits.substr(first);
}

// How many digits a field has is between the packagings.
std::string totals_text(Message const& message) {
    std::string text;
    for (int const field : kTotals) {
        text += without_zeros(message.get(field));
        text += ' ';
    }
    auto const net = message.get(kNet);
    return text.append(net.substr(0, 1))
        .append(without_zeros(net.substr(std::min(net.size(), 1UL))));
}

void set_totals(Message& message, std::string_view text) {
    for (int const field : kTotals) {
        auto const end = text.find(' ');
        message.set(field, text.substr(0, end));
        text.remove_prefix(end + 1);
    }
    constexpr std::size_t kDigits = 16;
    auto const digits = text.substr(1);
    message.set(
        kNet,
        std::string{text.substr(0, 1)} + std::string(kDigits - digits.size(), '0') +
            std::string{digits}
    );
}

std::optional<Currency> currency_in(Message const& request) {
    auto const digits = request.get(50);
    std::uint16_t code = 0;
    auto const [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), code);
    if (digits.size() != 3 || status != std::errc{} || end != digits.data() + digits.size()) {
        return std::nullopt;
    }
    return Currency::from_numeric(code);
}

}  // namespace

// Field 15 has no year, and field 7 neither: what was booked within half a year of now is meant.
Result<std::string> Book::totals_of(std::string_view date, Currency currency, std::int64_t off) {
    constexpr std::int64_t kHalfAYear = 183LL * 86'400;
    auto const now = seconds_of(clock_.wall_ns());
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT type, COUNT(*), SUM(minor) FROM entries WHERE type IN ('capture', 'refund') "
            "AND currency = ? AND substr(time, 1, 4) = ? AND date > ? GROUP BY type",
            {std::int64_t{currency.numeric()}, std::string{date}, utc_date(now - kHalfAYear)}
        )
    );
    std::int64_t debits = 0, debited = off, credits = 0, credited = 0;
    for (auto const& row : rows) {
        bool const is_debit = text(row[0]) == "capture";
        (is_debit ? debits : credits) += number(row[1]);
        (is_debit ? debited : credited) += number(row[2]);
    }
    debited = std::max<std::int64_t>(debited, 0);
    std::int64_t const net = credited - debited;
    return fmt::format(
        "{} 0 {} 0 {} 0 {} 0 {}{}",
        credits,
        debits,
        credited,
        debited,
        net < 0 ? 'D' : 'C',
        net < 0 ? -net : net
    );
}

Result<Message> Book::answer_totals(Message const& request, Forced const& forced) {
    Message answer{connectors::iso8583::answer_mti(request.mti())};
    for (int const field : {7, 11, 12, 13, 15, 32, 33, 37, 50}) {
        if (request.has(field)) {
            answer.set(field, request.get(field));
        }
    }
    auto const refuse = [&answer](std::string_view code) {
        answer.set(39, code);
        answer.set(66, kError);
        return answer;
    };
    auto const currency = currency_in(request);
    if (!forced.decline.empty()) {
        return refuse(forced.decline);
    }
    bool is_whole = currency.has_value();
    for (int const field : {7, 11, 15, 37, 76, 88, 74, 86, 97}) {
        is_whole = is_whole && request.has(field);
    }
    if (!is_whole) {
        return refuse("30");
    }
    std::string const type = request.mti().substr(0, 3);
    std::string const stan{request.get(11)}, time{request.get(7)}, rrn{request.trimmed(37)};
    std::string const asked = totals_text(request);
    FLORIN_TRY(
        auto const known,
        database_.run(
            "UPDATE totals SET repeats = repeats + 1 WHERE class = ? AND stan = ? AND time = ? "
            "AND rrn = ? RETURNING asked, answered",
            {type, stan, time, rrn}
        )
    );
    std::string own;
    if (known.empty()) {
        FLORIN_TRY(own, totals_of(request.get(15), *currency, forced.off_minor));
        FLORIN_TRY_VOID(database_.run(
            "INSERT INTO totals(class, stan, time, rrn, date, currency, asked, answered) "
            "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
            {type,
             stan,
             time,
             rrn,
             std::string{request.get(15)},
             std::int64_t{currency->numeric()},
             asked,
             own}
        ));
    } else if (text(known[0][0]) != asked) {
        return refuse("94");  // the identity of other totals
    } else {
        own = text(known[0][1]);
    }
    set_totals(answer, own);
    answer.set(66, own == asked ? kInBalance : kOutOfBalance);
    return answer;
}

Result<std::vector<Book::Compared>> Book::compared() {
    FLORIN_TRY(
        auto const rows,
        database_.run("SELECT class, stan, rrn, date, currency, asked = answered, repeats "
                      "FROM totals ORDER BY rowid")
    );
    std::vector<Compared> list;
    for (auto const& row : rows) {
        list.push_back({
            .mti = text(row[0]) + "0",
            .stan = text(row[1]),
            .rrn = text(row[2]),
            .date = text(row[3]),
            .currency = currency_of(row[4]),
            .is_in_balance = number(row[5]) != 0,
            .repeats = number(row[6]),
        });
    }
    return list;
}

}  // namespace florin::banksim
