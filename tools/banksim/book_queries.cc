// What the book has, for reports and for whoever asks the bank's control; changes nothing.
#include "tools/banksim/book.h"

namespace florin::banksim {

Result<std::vector<Presented>> Book::presented(std::size_t limit) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT rrn, indicator, cryptogram, version, transaction_id, credential_use, original, "
            "condition FROM presented ORDER BY id DESC LIMIT ?",
            {static_cast<std::int64_t>(limit)}
        )
    );
    std::vector<Presented> list;
    for (auto const& row : rows) {
        list.push_back({
            .rrn = text(row[0]),
            .electronic_commerce_indicator = text(row[1]),
            .cryptogram = text(row[2]),
            .three_d_secure_version = text(row[3]),
            .three_d_secure_transaction = text(row[4]),
            .credential_use = text(row[5]),
            .original_network_transaction = text(row[6]),
            .condition = text(row[7]),
        });
    }
    return list;
}

Result<std::vector<Entry>> Book::entries(std::string const& date) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT type, minor, fee, currency, stan, rrn, authorization_code, pan, time, date, "
            "terminal FROM entries WHERE date = ? ORDER BY id",
            {date}
        )
    );
    std::vector<Entry> entries;
    for (auto const& row : rows) {
        auto const currency = currency_of(row[3]);
        entries.push_back(Entry{
            .type = text(row[0]),
            .amount = Money{number(row[1]), currency},
            .fee = Money{number(row[2]), currency},
            .stan = text(row[4]),
            .rrn = text(row[5]),
            .authorization_code = text(row[6]),
            .masked_pan = text(row[7]),
            .transmission_time = text(row[8]),
            .business_date = text(row[9]),
            .terminal = text(row[10]),
        });
    }
    return entries;
}

Result<std::vector<Payout>> Book::payouts(std::string const& date, bool before) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            std::string{
                "SELECT currency, SUM(CASE type WHEN 'capture' THEN minor ELSE -minor END - fee) "
                "FROM entries WHERE date "
            } + (before ? "<" : "=") +
                " ? GROUP BY currency ORDER BY currency",
            {date}
        )
    );
    std::vector<Payout> payouts;
    for (auto const& row : rows) {
        auto const currency = currency_of(row[0]);
        payouts.push_back(Payout{
            .reference =
                before ? "" : acquirer_ + "-" + date + "-" + std::string{currency.alphabetic()},
            .business_date = date,
            .net = Money{number(row[1]), currency},
        });
    }
    return payouts;
}

Result<Book::Counts> Book::counts() {
    FLORIN_TRY(
        auto const rows,
        database_.run("SELECT (SELECT COUNT(*) FROM authorisations WHERE state = 'approved'), "
                      "(SELECT COUNT(*) FROM entries WHERE type = 'capture'), "
                      "(SELECT COUNT(*) FROM entries WHERE type = 'refund'), "
                      "(SELECT COUNT(*) FROM reversals), "
                      "(SELECT COUNT(*) FROM authorisations WHERE state = 'refused'), "
                      "(SELECT COUNT(*) FROM transfers), "
                      "(SELECT COUNT(*) FROM transfers WHERE returned <> ''), "
                      "(SELECT COALESCE(SUM(1 + repeats), 0) FROM messages WHERE class = '010')")
    );
    auto const& row = rows.at(0);
    return Counts{
        .authorisations = number(row[0]),
        .captures = number(row[1]),
        .refunds = number(row[2]),
        .reversals = number(row[3]),
        .refused_after_reversal = number(row[4]),
        .transfers = number(row[5]),
        .returns = number(row[6]),
        .authorisation_messages = number(row[7]),
    };
}

Result<std::vector<Book::Held>> Book::held() {
    FLORIN_TRY(
        auto const rows,
        database_.run("SELECT minor, currency, rrn, time, captured, refunded FROM authorisations "
                      "WHERE state = 'approved' ORDER BY id")
    );
    std::vector<Held> held;
    for (auto const& row : rows) {
        held.push_back(Held{
            .amount = Money{number(row[0]), currency_of(row[1])},
            .rrn = text(row[2]),
            .transmission_time = text(row[3]),
            .captured = number(row[4]),
            .refunded = number(row[5]),
        });
    }
    return held;
}

}  // namespace florin::banksim
