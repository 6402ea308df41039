#include "connectors/statements/acquirer_report.h"

#include "connectors/statements/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <vector>

namespace florin::connectors::statements {
namespace {

constexpr std::size_t kLineBytesMax = 1'024;
constexpr std::size_t kAcquirerMax = 20;  // so that a payout reference has at most 35 characters

enum Cell : std::size_t {
    c_payout_reference,
    c_type,
    c_amount_minor,
    c_amount,
    c_fee_minor,
    c_fee,
    c_currency,
    c_stan,
    c_rrn,
    c_authorization_code,
    c_pan,
    c_transmission_time,
    c_business_date,
    c_terminal,
    c_count
};
constexpr std::array<std::string_view, c_count> kCells{
    "payout_reference",
    "type",
    "amount_minor",
    "amount",
    "fee_minor",
    "fee",
    "currency",
    "stan",
    "rrn",
    "authorization_code",
    "pan",
    "transmission_time",
    "business_date",
    "terminal"
};
constexpr std::array<std::string_view, 8> kSumCells{
    "payout_reference", "currency", "lines", "captures", "refunds", "chargebacks", "fees", "net"
};

struct Sums {
    std::uint64_t lines = 0;
    Money captures, refunds, chargebacks, fees;
    bool was_summed = false;
};

std::vector<std::string_view> split(std::string_view line) {
    std::vector<std::string_view> cells;
    while (true) {
        auto const comma = line.find(',');
        cells.push_back(line.substr(0, comma));
        if (comma == std::string_view::npos) {
            return cells;
        }
        line.remove_prefix(comma + 1);
    }
}

bool is_acquirer(std::string_view text) {
    return !text.empty() && text.size() <= kAcquirerMax && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    });
}

// 1 to `most` printable characters, no blank at either end.
bool is_printable(std::string_view text, std::size_t most) {
    return !text.empty() && text.size() <= most && text.front() != ' ' && text.back() != ' ' &&
           std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
}

// Stars and at most four digits behind them: more would be a card number.
bool is_masked(std::string_view text) {
    auto const digits = text.substr(std::min(text.find_first_not_of('*'), text.size()));
    return text.size() <= 19 && digits.size() <= 4 && digits.size() < text.size() &&
           (digits.empty() || is_digits(digits));
}

// MMDDhhmmss. The year is not there, so every February has 29 days.
bool is_transmission_time(std::string_view text) {
    if (text.size() != 10 || !is_digits(text)) {
        return false;
    }
    return is_date(
               "2024-" + std::string{text.substr(0, 2)} + "-" + std::string{text.substr(2, 2)}
           ) &&
           text.substr(4, 2) < "24" && text.substr(6, 2) < "60" && text.substr(8, 2) < "60";
}

// A number as it is written by to_string: no plus sign, no leading zeros, at most 18 digits.
std::optional<std::int64_t> integer(std::string_view text) {
    std::int64_t value = 0;
    auto const [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool const is_whole = status == std::errc{} && end == text.data() + text.size();
    return is_whole && std::to_string(value) == text ? std::optional{value} : std::nullopt;
}

class Reader {
public:
    Reader(std::istream& in, StatementSink& sink) : in_{in}, sink_{sink} {}

    Result<void> read() {
        FLORIN_TRY_VOID(read_head());
        FLORIN_TRY_VOID(read_names());
        FLORIN_TRY_VOID(sink_.begin(head_));
        bool is_ended = false;
        bool has_sums = false;
        while (!is_ended) {
            FLORIN_TRY(auto const cells, next("the T line"));
            if (cells[0] == "D" && !has_sums) {
                FLORIN_TRY_VOID(read_detail(cells));
            } else if (cells[0] == "S") {
                has_sums = true;
                FLORIN_TRY_VOID(read_sums(cells));
            } else if (cells[0] == "T") {
                FLORIN_TRY_VOID(read_end(cells));
                is_ended = true;
            } else if (cells[0] == "D") {
                return bad("first cell", "a D line stands after an S line");
            } else {
                return bad("first cell", "'" + shown(cells[0]) + "' is not D, S or T");
            }
        }
        FLORIN_TRY(bool const has_more, next_line());
        if (has_more) {
            return bad("first cell", "the file goes on after its T line");
        }
        return sink_.end(head_);
    }

private:
    std::unexpected<Error> bad(
        std::string_view cell, std::string const& what, Errc code = Errc::malformed
    ) const {
        return fail(
            code, "line " + std::to_string(number_) + ": " + std::string{cell} + ": " + what
        );
    }

    // false at the end of the file. A line that has no end was cut.
    Result<bool> next_line() {
        line_.clear();
        ++number_;
        auto& bytes = *in_.rdbuf();
        using Traits = std::istream::traits_type;
        while (true) {
            auto const got = bytes.sbumpc();
            if (Traits::eq_int_type(got, Traits::eof())) {
                if (in_.bad()) {
                    return fail(Errc::io, "cannot read the report");
                }
                if (!line_.empty()) {
                    return bad("end", "the file ends inside a line");
                }
                return false;
            }
            if (got == '\n') {
                return true;
            }
            if (line_.size() == kLineBytesMax) {
                return bad(
                    "end", "a line of more than " + std::to_string(kLineBytesMax) + " bytes"
                );
            }
            line_.push_back(Traits::to_char_type(got));
        }
    }

    Result<std::vector<std::string_view>> next(std::string_view wanted) {
        FLORIN_TRY(bool const is_there, next_line());
        if (!is_there) {
            return bad("end", "the file ends before " + std::string{wanted});
        }
        return split(line_);
    }

    Result<void> count_cells(std::vector<std::string_view> const& cells, std::size_t wanted) const {
        if (cells.size() != wanted) {
            return bad(
                "cells",
                "a line of " + std::to_string(cells.size()) + " cells instead of " +
                    std::to_string(wanted)
            );
        }
        return {};
    }

    Result<void> read_head() {
        FLORIN_TRY(auto const cells, next("the H line"));
        if (cells[0] != "H" || cells.size() < 2 || cells[1] != "florin-acquirer-report") {
            return bad("format", "not a florin-acquirer-report");
        }
        if (cells.size() < 3 || cells[2] != "1") {
            return bad(
                "version",
                "'" + (cells.size() < 3 ? "" : shown(cells[2])) + "' is not 1",
                Errc::unsupported
            );
        }
        FLORIN_TRY_VOID(count_cells(cells, 5));
        if (!is_acquirer(cells[3])) {
            return bad("acquirer", "not 1 to 20 letters, digits and hyphens");
        }
        if (!is_date(cells[4])) {
            return bad("business_date", "'" + shown(cells[4]) + "' is not a date");
        }
        head_.level = Level::acquirer;
        head_.account = cells[3];
        head_.date = cells[4];
        head_.id = head_.account + "-" + head_.date;
        return {};
    }

    Result<void> read_names() {
        FLORIN_TRY(auto const cells, next("the C line"));
        if (cells[0] != "C") {
            return bad("first cell", "'" + shown(cells[0]) + "' is not C");
        }
        FLORIN_TRY_VOID(count_cells(cells, c_count + 1));
        for (std::size_t i = 0; i < c_count; ++i) {
            if (cells[i + 1] != kCells[i]) {
                return bad(
                    kCells[i],
                    "'" + shown(cells[i + 1]) + "' stands in its place",
                    Errc::unsupported
                );
            }
        }
        return {};
    }

    // A payout reference says acquirer, date and currency; nothing is taken from it.
    Result<Currency> currency_of(std::string_view reference, std::string_view code) const {
        auto const currency = Currency::from_alphabetic(code);
        if (!currency || currency->alphabetic() != code) {
            return bad("currency", "'" + shown(code) + "' is not an ISO 4217 code");
        }
        if (reference != head_.id + "-" + std::string{code}) {
            return bad(
                "payout_reference",
                "'" + shown(reference) + "' is not " + head_.id + "-" + std::string{code}
            );
        }
        return *currency;
    }

    // Minor units, and the decimals beside them where there are some.
    Result<Money> amount(
        Currency currency, std::string_view minor, std::string_view minor_name, bool may_be_negative
    ) const {
        auto const value = integer(minor);
        if (!value || (*value < 0 && !may_be_negative)) {
            return bad(minor_name, "'" + shown(minor) + "' is not a number of minor units");
        }
        return Money{*value, currency};
    }

    Result<Money> spelt_twice(
        Currency currency, std::vector<std::string_view> const& cells, Cell minor, Cell decimal
    ) const {
        FLORIN_TRY(auto const money, amount(currency, cells[minor + 1], kCells[minor], false));
        if (cells[decimal + 1] != decimal_text(money)) {
            return bad(
                kCells[decimal],
                "'" + shown(cells[decimal + 1]) + "' where " + std::string{kCells[minor]} +
                    " says " + decimal_text(money)
            );
        }
        return money;
    }

    Result<void> read_detail(std::vector<std::string_view> const& cells) {
        FLORIN_TRY_VOID(count_cells(cells, c_count + 1));
        auto const cell = [&](Cell which) { return cells[which + 1]; };
        FLORIN_TRY(auto const currency, currency_of(cell(c_payout_reference), cell(c_currency)));
        auto const type = line_type_from(cell(c_type));
        if (!type || *type == LineType::entry) {
            return bad(
                "type", "'" + shown(cell(c_type)) + "' is not capture, refund, chargeback or fee"
            );
        }
        FLORIN_TRY(auto const absolute, spelt_twice(currency, cells, c_amount_minor, c_amount));
        FLORIN_TRY(auto const fee, spelt_twice(currency, cells, c_fee_minor, c_fee));
        if (fee.minor != 0 && *type != LineType::capture) {
            return bad("fee_minor", "a fee is withheld from captures alone");
        }
        if (cell(c_business_date) != head_.date) {
            return bad("business_date", "'" + shown(cell(c_business_date)) + "' is another day");
        }
        FLORIN_TRY_VOID(check_message(*type, cells));
        FLORIN_TRY_VOID(add(*type, absolute, fee));
        ++details_;
        return sink_.line(StatementLine{
            .number = details_,
            .type = *type,
            .amount =
                Money{*type == LineType::capture ? absolute.minor : -absolute.minor, currency},
            .fee_minor = fee.minor,
            .reference = std::string{cell(c_payout_reference)},
            .booking_date = head_.date,
            .value_date = {},
            .stan = std::string{cell(c_stan)},
            .rrn = std::string{cell(c_rrn)},
            .authorization_code = std::string{cell(c_authorization_code)},
            .transmission_time = std::string{cell(c_transmission_time)},
            .masked_pan = std::string{cell(c_pan)},
            .terminal_id = std::string{cell(c_terminal)},
        });
    }

    // The cells that name the message which booked the line: all there, or none for a fee.
    Result<void> check_message(LineType type, std::vector<std::string_view> const& cells) const {
        constexpr std::array kMessageCells{
            c_stan, c_rrn, c_authorization_code, c_pan, c_transmission_time, c_terminal
        };
        for (auto const which : kMessageCells) {
            auto const text = cells[which + 1];
            if (type == LineType::fee) {
                if (!text.empty()) {
                    return bad(kCells[which], "a fee belongs to no message");
                }
                continue;
            }
            bool const is_good = which == c_stan  ? text.size() == 6 && is_digits(text)
                                 : which == c_rrn ? is_printable(text, 12)
                                 : which == c_authorization_code
                                     ? text.empty() || is_printable(text, 6)
                                 : which == c_pan               ? is_masked(text)
                                 : which == c_transmission_time ? is_transmission_time(text)
                                                                : is_printable(text, 8);
            if (!is_good) {
                // What stands in the place of a masked number may be one that is not.
                return bad(
                    kCells[which],
                    which == c_pan ? "not a masked card number"
                                   : "'" + shown(text) + "' is not what stands there"
                );
            }
        }
        return {};
    }

    Result<void> add(LineType type, Money absolute, Money fee) {
        auto const zero = Money{0, absolute.currency};
        auto& sums =
            sums_.try_emplace(absolute.currency, Sums{0, zero, zero, zero, zero}).first->second;
        auto& of_type = type == LineType::capture  ? sums.captures
                        : type == LineType::refund ? sums.refunds
                        : type == LineType::fee    ? sums.fees
                                                   : sums.chargebacks;
        auto const both = checked_add(of_type, absolute);
        if (!both) {
            return bad("amount_minor", "the sum is too large", Errc::out_of_range);
        }
        of_type = *both;
        auto const fees = checked_add(sums.fees, fee);
        if (!fees) {
            return bad("fee_minor", "the sum is too large", Errc::out_of_range);
        }
        sums.fees = *fees;
        ++sums.lines;
        return {};
    }

    Result<void> read_sums(std::vector<std::string_view> const& cells) {
        FLORIN_TRY_VOID(count_cells(cells, kSumCells.size() + 1));
        FLORIN_TRY(auto const currency, currency_of(cells[1], cells[2]));
        auto const found = sums_.find(currency);
        if (found == sums_.end()) {
            return bad("payout_reference", "no D line is paid under it");
        }
        auto& sums = found->second;
        if (sums.was_summed) {
            return bad("payout_reference", "it has an S line already");
        }
        sums.was_summed = true;
        auto net = checked_subtract(sums.captures, sums.refunds);
        for (auto const& less : {sums.chargebacks, sums.fees}) {
            net = net ? checked_subtract(*net, less) : net;
        }
        if (!net) {
            return bad("net", "the sum is too large", Errc::out_of_range);
        }
        if (integer(cells[3]) != static_cast<std::int64_t>(sums.lines)) {
            return bad(
                "lines", "'" + shown(cells[3]) + "' where there are " + std::to_string(sums.lines)
            );
        }
        std::array const wanted{sums.captures, sums.refunds, sums.chargebacks, sums.fees, *net};
        for (std::size_t i = 0; i < wanted.size(); ++i) {
            auto const name = kSumCells[3 + i];
            FLORIN_TRY(auto const said, amount(currency, cells[4 + i], name, name == "net"));
            if (said != wanted[i]) {
                return bad(
                    name,
                    "'" + shown(cells[4 + i]) + "' where the lines have " +
                        std::to_string(wanted[i].minor)
                );
            }
        }
        ++summed_;
        return {};
    }

    Result<void> read_end(std::vector<std::string_view> const& cells) const {
        FLORIN_TRY_VOID(count_cells(cells, 3));
        for (auto const& [currency, sums] : sums_) {
            if (!sums.was_summed) {
                return bad(
                    "S lines", "none for " + head_.id + "-" + std::string{currency.alphabetic()}
                );
            }
        }
        if (integer(cells[1]) != static_cast<std::int64_t>(details_)) {
            return bad(
                "D lines", "'" + shown(cells[1]) + "' where there are " + std::to_string(details_)
            );
        }
        if (integer(cells[2]) != static_cast<std::int64_t>(summed_)) {
            return bad(
                "S lines", "'" + shown(cells[2]) + "' where there are " + std::to_string(summed_)
            );
        }
        return {};
    }

    std::istream& in_;
    StatementSink& sink_;
    StatementHead head_;
    std::string line_;
    std::uint64_t number_ = 0;
    std::uint64_t details_ = 0;
    std::uint64_t summed_ = 0;
    std::map<Currency, Sums> sums_;  // at most one for each currency of the table
};

}  // namespace

Result<void> read_acquirer_report(std::istream& in, StatementSink& sink) {
    return Reader{in, sink}.read();
}

}  // namespace florin::connectors::statements
