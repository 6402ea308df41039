#include "tools/banksim/database.h"

#include <sqlite3.h>

#include <utility>

namespace florin::banksim {
namespace {

// More would not be the book's own: its texts are all in the code.
constexpr std::size_t kStatementsMax = 256;

// A statement that has run holds its locks and parameters until it is reset.
struct Resetter {
    void operator()(sqlite3_stmt* statement) const noexcept {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
    }
};

Value column(sqlite3_stmt* statement, int index) {
    if (sqlite3_column_type(statement, index) == SQLITE_INTEGER) {
        return sqlite3_column_int64(statement, index);
    }
    auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(statement, index));
    auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement, index));
    return bytes == nullptr ? std::string{} : std::string{bytes, size};
}

}  // namespace

void Database::Finalizer::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

void Database::Closer::operator()(sqlite3* handle) const noexcept {
    sqlite3_close(handle);
}

std::unexpected<Error> Database::failed() const {
    return fail(Errc::io, std::string{"the bank's book: "} + sqlite3_errmsg(handle_.get()));
}

Result<Database> Database::open(std::string const& path, bool is_synced) {
    sqlite3* handle = nullptr;
    auto const status = sqlite3_open(path.c_str(), &handle);
    Database database{handle};
    if (status != SQLITE_OK) {
        return fail(Errc::io, "cannot open " + path);
    }
    sqlite3_busy_timeout(handle, 5'000);
    FLORIN_TRY_VOID(database.run_all(
        is_synced ? "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                  : "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;"
    ));
    return database;
}

Result<sqlite3_stmt*> Database::prepared(std::string_view sql) {
    if (auto const known = statements_.find(sql); known != statements_.end()) {
        return known->second.get();
    }
    sqlite3_stmt* made = nullptr;
    if (sqlite3_prepare_v2(
            handle_.get(), sql.data(), static_cast<int>(sql.size()), &made, nullptr
        ) != SQLITE_OK) {
        return failed();
    }
    Statement statement{made};
    if (statements_.size() >= kStatementsMax) {
        statements_.clear();
    }
    statements_.emplace(sql, std::move(statement));
    return made;
}

Result<std::vector<Row>> Database::run(
    std::string_view sql, std::initializer_list<Value> parameters
) {
    FLORIN_TRY(sqlite3_stmt* const raw, prepared(sql));
    std::unique_ptr<sqlite3_stmt, Resetter> const running{raw};
    int index = 0;
    for (auto const& parameter : parameters) {
        ++index;
        if (auto const* const integer = std::get_if<std::int64_t>(&parameter)) {
            sqlite3_bind_int64(raw, index, *integer);
        } else {
            auto const& bytes = std::get<std::string>(parameter);
            sqlite3_bind_text64(
                raw, index, bytes.data(), bytes.size(), SQLITE_TRANSIENT, SQLITE_UTF8
            );
        }
    }
    std::vector<Row> rows;
    while (true) {
        auto const status = sqlite3_step(raw);
        if (status == SQLITE_DONE) {
            return rows;
        }
        if (status != SQLITE_ROW) {
            return failed();
        }
        Row row;
        for (int i = 0; i < sqlite3_column_count(raw); ++i) {
            row.push_back(column(raw, i));
        }
        rows.push_back(std::move(row));
    }
}

Result<void> Database::run_all(std::string const& sql) {
    if (sqlite3_exec(handle_.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) {
        return failed();
    }
    return {};
}

std::int64_t Database::last_insert_id() const {
    return sqlite3_last_insert_rowid(handle_.get());
}

}  // namespace florin::banksim
