#include "tools/florin/vault_check.h"

#include "crypto/hash.h"
#include "ledger/reader.h"

#include <nlohmann/json.hpp>
#include <sqlite3.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <unistd.h>

namespace florin::tools {
namespace {

namespace fs = std::filesystem;

// Kinds of documents as the journal numbers them.
constexpr std::uint16_t kPaymentMethod = 6;

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

// A folder that goes with its scope.
class Scratch {
public:
    Scratch() = default;
    Scratch(Scratch const&) = delete;
    Scratch& operator=(Scratch const&) = delete;
    ~Scratch() {
        std::error_code ignored;
        if (!path_.empty()) {
            fs::remove_all(path_, ignored);
        }
    }
    Result<fs::path> make() {
        std::error_code error;
        std::string name = (fs::temp_directory_path(error) / "florin-vault-XXXXXX").string();
        if (error || ::mkdtemp(name.data()) == nullptr) {
            return fail(Errc::io, name + ": cannot make a temporary folder");
        }
        path_ = name;
        return path_;
    }

private:
    fs::path path_;
};

// What a path is inside "file:…?immutable=1".
std::string uri_path(fs::path const& file) {
    std::string out;
    for (char const c : fs::absolute(file).string()) {
        bool const is_special = c == '%' || c == '?' || c == '#';
        out += is_special ? "%" + to_hex(std::string_view{&c, 1}) : std::string{c};
    }
    return out;
}

class VaultFile {
public:
    VaultFile(fs::path file, bool is_live) : file_{std::move(file)}, is_live_{is_live} {}

    Result<void> open() {
        fs::path const log = file_.string() + "-wal";
        std::error_code error;
        fs::path seen = file_;
        // What a daemon uses is read beside it, under SQLite's own locks.
        bool const has_log = !is_live_ && fs::exists(log, error) && fs::file_size(log, error) > 0;
        if (has_log) {
            FLORIN_TRY(fs::path const folder, scratch_.make());
            seen = folder / "vault.sqlite";
            fs::copy_file(file_, seen, error);
            if (!error) {
                fs::copy_file(log, seen.string() + "-wal", error);
            }
            if (error) {
                return fail(Errc::io, file_.string() + ": cannot copy: " + error.message());
            }
        }
        std::string const uri =
            "file:" + uri_path(seen) + (has_log || is_live_ ? "" : "?immutable=1");
        int const flags =
            (has_log ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI;
        sqlite3* raw = nullptr;
        int const opened = sqlite3_open_v2(uri.c_str(), &raw, flags, nullptr);
        database_.reset(raw);
        if (opened != SQLITE_OK) {
            return damaged("cannot open");
        }
        return {};
    }

    // Calls visit(statement) for each row.
    template <class Visit>
    Result<void> each(char const* sql, Visit const& visit) const {
        sqlite3_stmt* raw = nullptr;
        int const prepared = sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr);
        Statement const statement{raw, sqlite3_finalize};
        if (prepared != SQLITE_OK) {
            return damaged(sql);
        }
        int step = sqlite3_step(raw);
        for (; step == SQLITE_ROW; step = sqlite3_step(raw)) {
            FLORIN_TRY_VOID(visit(raw));
        }
        return step == SQLITE_DONE ? Result<void>{} : damaged(sql);
    }

    Result<bool> has(std::string const& token, std::string const& owner) const {
        sqlite3_stmt* raw = nullptr;
        char const* const sql = "SELECT 1 FROM card WHERE token=? AND owner=?";
        int const prepared = sqlite3_prepare_v2(database_.get(), sql, -1, &raw, nullptr);
        Statement const statement{raw, sqlite3_finalize};
        if (prepared != SQLITE_OK) {
            return std::unexpected{damaged(sql).error()};
        }
        sqlite3_bind_text(raw, 1, token.data(), static_cast<int>(token.size()), SQLITE_STATIC);
        sqlite3_bind_text(raw, 2, owner.data(), static_cast<int>(owner.size()), SQLITE_STATIC);
        int const step = sqlite3_step(raw);
        if (step != SQLITE_ROW && step != SQLITE_DONE) {
            return std::unexpected{damaged(sql).error()};
        }
        return step == SQLITE_ROW;
    }

    std::string name() const { return file_.string(); }

private:
    Result<void> damaged(std::string const& doing) const {
        return fail(
            Errc::corrupt, file_.string() + ": " + doing + ": " + sqlite3_errmsg(database_.get())
        );
    }

    fs::path file_;
    bool is_live_;
    Scratch scratch_;
    Database database_{nullptr, sqlite3_close};
};

std::string column(sqlite3_stmt* row, int index) {
    auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(row, index));
    auto const size = static_cast<std::size_t>(sqlite3_column_bytes(row, index));
    return bytes == nullptr ? std::string{} : std::string{bytes, size};
}

Result<void> check_rows(VaultFile const& vault, VaultReport& report) {
    auto const sound = [&](sqlite3_stmt* row) -> Result<void> {
        std::string const verdict = column(row, 0);
        if (verdict != "ok") {
            return fail(Errc::corrupt, vault.name() + ": " + verdict);
        }
        return {};
    };
    FLORIN_TRY_VOID(vault.each("PRAGMA integrity_check", sound));
    auto const card = [&](sqlite3_stmt* row) -> Result<void> {
        std::string const token = column(row, 0);
        crypto::Sha256 hash;
        hash.update("card " + token + " " + column(row, 1));
        hash.update(column(row, 2));
        if (std::string{view(hash.finish())} != column(row, 3)) {
            return fail(
                Errc::corrupt, vault.name() + ": card " + token + ": differs from its checksum"
            );
        }
        ++report.cards;
        return {};
    };
    FLORIN_TRY_VOID(vault.each("SELECT token, owner, sealed, checksum FROM card", card));
    auto const key = [&](sqlite3_stmt* row) -> Result<void> {
        if (std::string{view(crypto::sha256(column(row, 1)))} != column(row, 2)) {
            return fail(
                Errc::corrupt,
                vault.name() + ": key check " + column(row, 0) + ": differs from its checksum"
            );
        }
        return {};
    };
    return vault.each("SELECT key_id, sealed, checksum FROM key_check", key);
}

}  // namespace

Result<VaultReport> check_vault(VaultPlace const& place) {
    FLORIN_TRY(auto const reader, ledger::LedgerReader::open(place.ledger));
    VaultReport report;
    fs::path const file = place.data_dir / "vault" / "vault.sqlite";
    VaultFile vault{file, place.is_live};
    std::error_code error;
    bool const is_there = fs::exists(file, error);
    if (is_there) {
        FLORIN_TRY_VOID(vault.open());
        FLORIN_TRY_VOID(check_rows(vault, report));
    }
    auto const method = [&](ledger::Document const& document) -> Result<bool> {
        if (!document.body) {
            return true;  // forgotten
        }
        auto const body = nlohmann::json::parse(*document.body, nullptr, false);
        std::string const token =
            body.is_object() ? body.value("vault_token", std::string{}) : std::string{};
        if (token.empty()) {
            return true;
        }
        FLORIN_TRY(
            bool const is_stored,
            is_there ? vault.has(token, document.key.owner) : Result<bool>{false}
        );
        if (!is_stored) {
            return fail(
                Errc::corrupt,
                vault.name() + ": card " + token + " of payment method " + document.key.id +
                    " is missing"
            );
        }
        ++report.methods;
        return true;
    };
    FLORIN_TRY_VOID(reader->documents().each(kPaymentMethod, method));
    return report;
}

}  // namespace florin::tools
