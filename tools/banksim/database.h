// SQLite as the bank simulator uses it: one connection, every commit durable before it returns.
// Thread rule: one thread.
#pragma once

#include "ledger/base/money.h"
#include "ledger/base/result.h"

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace florin::banksim {

using Value = std::variant<std::int64_t, std::string>;
using Row = std::vector<Value>;

inline std::int64_t number(Value const& value) {
    return std::get<std::int64_t>(value);
}
inline std::string const& text(Value const& value) {
    return std::get<std::string>(value);
}
// Of a column with ISO 4217 numeric codes, where only known ones were written.
inline Currency currency_of(Value const& numeric) {
    return *Currency::from_numeric(static_cast<std::uint16_t>(number(numeric)));
}

class Database {
public:
    // Creates the file where there is none. WAL with synchronous=FULL: a commit survives kill -9
    // and power loss. Not `is_synced`: kill -9 only.
    static Result<Database> open(std::string const& path, bool is_synced = true);

    // Runs one statement with its parameters in order and collects its rows. NULL reads as "".
    Result<std::vector<Row>> run(
        std::string_view sql, std::initializer_list<Value> parameters = {}
    );
    // Several statements without parameters, such as a schema.
    Result<void> run_all(std::string const& sql);
    std::int64_t last_insert_id() const;

private:
    struct Closer {
        void operator()(sqlite3* handle) const noexcept;
    };
    struct Finalizer {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    using Statement = std::unique_ptr<sqlite3_stmt, Finalizer>;

    explicit Database(sqlite3* handle) : handle_{handle} {}
    std::unexpected<Error> failed() const;
    Result<sqlite3_stmt*> prepared(std::string_view sql);

    std::unique_ptr<sqlite3, Closer> handle_;
    // By their text: preparing one takes longer than running it.
    std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace florin::banksim
