// The part of the book that pays out: payment files, their transfers, and returns of them.
#include "tools/banksim/book.h"

#include <algorithm>

namespace florin::banksim {
namespace {

constexpr std::string_view kColumns =
    "SELECT payment, end_to_end, minor, currency, name, iban, remittance, message, id "
    "FROM transfers ";

Order order_of(Row const& row) {
    return Order{
        .payment_information_id = text(row[0]),
        .end_to_end_id = text(row[1]),
        .amount = Money{number(row[2]), currency_of(row[3])},
        .creditor_name = text(row[4]),
        .creditor_iban = text(row[5]),
        .remittance = text(row[6]),
    };
}

}  // namespace

Result<bool> Book::collect(PaymentFile const& file) {
    FLORIN_TRY_VOID(begin());
    auto const booked = [&]() -> Result<bool> {
        FLORIN_TRY(
            auto const known,
            database_.run("SELECT 1 FROM payment_files WHERE message = ?", {file.message_id})
        );
        if (!known.empty()) {
            FLORIN_TRY(
                auto const rows,
                database_.run(
                    std::string{kColumns} + "WHERE message = ? ORDER BY id", {file.message_id}
                )
            );
            if (!std::ranges::equal(rows, file.orders, {}, order_of)) {
                return fail(
                    Errc::conflict, "another payment file had the MsgId " + file.message_id
                );
            }
            FLORIN_TRY_VOID(commit());
            return false;
        }
        FLORIN_TRY_VOID(database_.run(
            "INSERT INTO payment_files VALUES(?, ?)", {file.message_id, business_date()}
        ));
        for (auto const& order : file.orders) {
            FLORIN_TRY_VOID(database_.run(
                "INSERT INTO transfers(message, payment, end_to_end, minor, currency, name, iban, "
                "remittance, date) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)",
                {file.message_id,
                 order.payment_information_id,
                 order.end_to_end_id,
                 order.amount.minor,
                 std::int64_t{order.amount.currency.numeric()},
                 order.creditor_name,
                 order.creditor_iban,
                 order.remittance,
                 business_date()}
            ));
        }
        FLORIN_TRY_VOID(commit());
        return true;
    }();
    if (!booked) {
        roll_back();
    }
    return booked;
}

Result<bool> Book::give_back(std::string const& end_to_end_id) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT id, returned FROM transfers WHERE end_to_end = ? ORDER BY id DESC LIMIT 1",
            {end_to_end_id}
        )
    );
    if (rows.empty()) {
        return fail(Errc::not_found, "no transfer has the EndToEndId " + end_to_end_id);
    }
    if (!text(rows[0][1]).empty()) {
        return false;
    }
    FLORIN_TRY_VOID(database_.run(
        "UPDATE transfers SET returned = ? WHERE id = ?", {business_date(), number(rows[0][0])}
    ));
    return true;
}

Result<std::vector<Movement>> Book::movements(std::string const& date) {
    std::vector<Movement> movements;
    for (bool const is_return : {false, true}) {
        FLORIN_TRY(
            auto const rows,
            database_.run(
                std::string{kColumns} + "WHERE " + (is_return ? "returned" : "date") +
                    " = ? ORDER BY id",
                {date}
            )
        );
        for (auto const& row : rows) {
            movements.push_back(Movement{
                .order = order_of(row),
                .message_id = text(row[7]),
                .bank_reference =
                    (is_return ? "RETURN-" : "TRANSFER-") + std::to_string(number(row[8])),
                .is_return = is_return,
            });
        }
    }
    return movements;
}

Result<std::vector<Money>> Book::moved_before(std::string const& date) {
    FLORIN_TRY(
        auto const rows,
        database_.run(
            "SELECT currency, SUM(CASE WHEN returned <> '' AND returned < ?1 THEN 0 ELSE -minor "
            "END) FROM transfers WHERE date < ?1 GROUP BY currency ORDER BY currency",
            {date}
        )
    );
    std::vector<Money> sums;
    for (auto const& row : rows) {
        sums.push_back(Money{number(row[1]), currency_of(row[0])});
    }
    return sums;
}

}  // namespace florin::banksim
