#include "daemon/vault/vault.h"

#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "ledger/store/data_dir.h"

#include <boost/asio/any_completion_handler.hpp>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/append.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <sqlite3.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <list>
#include <mutex>
#include <pthread.h>
#include <thread>

namespace florin::vault {
namespace {

namespace asio = boost::asio;
using connectors::Cryptogram;

// What is held in memory for a confirmation.
constexpr std::size_t kHeldMax = 10'000;
constexpr std::uint64_t kHeldLifeNs = 30ULL * 60 * 1'000'000'000;  // half an hour

constexpr char const* kSchema =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    "PRAGMA secure_delete=ON;"
    "CREATE TABLE IF NOT EXISTS card("
    "  token TEXT PRIMARY KEY NOT NULL, owner TEXT NOT NULL,"
    "  sealed BLOB NOT NULL, checksum BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS key_check("
    "  key_id INTEGER PRIMARY KEY NOT NULL, sealed BLOB NOT NULL, checksum BLOB NOT NULL);";
constexpr char const* kKeyCheck = "florin vault key check";

class Statement {
public:
    Statement(sqlite3* database, char const* sql) {
        sqlite3_prepare_v2(database, sql, -1, &statement_, nullptr);
    }
    Statement(Statement const&) = delete;
    Statement& operator=(Statement const&) = delete;
    ~Statement() { sqlite3_finalize(statement_); }
    void text(int index, std::string const& value) {
        sqlite3_bind_text(
            statement_, index, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT
        );
    }
    void blob(int index, std::string_view value) {
        sqlite3_bind_blob(
            statement_, index, value.data(), static_cast<int>(value.size()), SQLITE_TRANSIENT
        );
    }
    void integer(int index, std::int64_t value) { sqlite3_bind_int64(statement_, index, value); }
    int step() { return sqlite3_step(statement_); }
    std::int64_t integer(int index) { return sqlite3_column_int64(statement_, index); }
    std::string column(int index) {
        auto const* const bytes = static_cast<char const*>(sqlite3_column_blob(statement_, index));
        auto const size = static_cast<std::size_t>(sqlite3_column_bytes(statement_, index));
        return bytes == nullptr ? std::string{} : std::string{bytes, size};
    }

private:
    sqlite3_stmt* statement_ = nullptr;
};

std::string associated(std::string const& token, std::string const& owner) {
    return "card " + token + " " + owner;
}

std::string checksum(
    std::string const& token, std::string const& owner, std::string const& sealed
) {
    crypto::Sha256 hash;
    hash.update(associated(token, owner));
    hash.update(sealed);
    return std::string{view(hash.finish())};
}

// Secrets that wait in memory, taken once: the oldest give way when there are too many.
template <class Id, class Value>
class HeldSecrets {
public:
    void hold(Id const& id, Value value, Clock const& clock) {
        std::lock_guard const lock{mutex_};
        std::erase_if(held_, [&](Held const& each) { return each.id == id; });
        held_.push_back({id, std::move(value), clock.steady_ns() + kHeldLifeNs});
        while (held_.size() > kHeldMax || held_.front().until_ns < clock.steady_ns()) {
            held_.pop_front();
        }
    }
    Value take(Id const& id, Clock const& clock) {
        std::lock_guard const lock{mutex_};
        auto const found = std::ranges::find(held_, id, &Held::id);
        if (found == held_.end()) {
            return {};
        }
        Value value = found->until_ns >= clock.steady_ns() ? std::move(found->value) : Value{};
        held_.erase(found);
        return value;
    }

private:
    struct Held {
        Id id;
        Value value;
        std::uint64_t until_ns;
    };
    std::mutex mutex_;
    std::list<Held> held_;
};

class SqliteVault final : public Vault {
public:
    SqliteVault(crypto::KeyRing keys, crypto::Random& random, Clock const& clock)
        : keys_{std::move(keys)},
          random_{random},
          clock_{clock},
          fingerprint_key_{keys_.derive("card fingerprints")} {}

    ~SqliteVault() override {
        {
            std::lock_guard const lock{mutex_};
            stopping_ = true;
            wake_.notify_one();
        }
        if (thread_.joinable()) {
            thread_.join();
        }
        sqlite3_close(database_);
    }

    Result<void> open(std::filesystem::path const& directory) {
        std::error_code error;
        if (std::filesystem::create_directories(directory, error)) {
            std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
        }
        // Before a card is in it; also where the one who made it did not come so far.
        FLORIN_TRY_VOID(ledger::sync_directory(directory.parent_path()));
        path_ = directory / "vault.sqlite";
        int const flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
        if (sqlite3_open_v2(path_.c_str(), &database_, flags, nullptr) != SQLITE_OK ||
            sqlite3_exec(database_, kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) {
            return std::unexpected{sqlite_error("cannot open")};
        }
        std::filesystem::permissions(
            path_, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write, error
        );
        FLORIN_TRY_VOID(check_keys());
        thread_ = std::thread{[this] { run(); }};
        pthread_setname_np(thread_.native_handle(), "florin-vault");
        return {};
    }

    asio::awaitable<Result<VaultToken>> put(std::string owner, Pan pan) override {
        std::string const token = "tok_" + crypto::random_alphanumeric(random_, 24);
        std::string const sealed = keys_.seal(pan.reveal(), associated(token, owner), random_);
        auto insert = [this, token, owner, sealed]() -> Result<std::string> {
            Statement statement{database_, "INSERT INTO card VALUES(?,?,?,?)"};
            statement.text(1, token);
            statement.text(2, owner);
            statement.blob(3, sealed);
            statement.blob(4, checksum(token, owner, sealed));
            if (statement.step() != SQLITE_DONE) {
                return std::unexpected{sqlite_error("cannot store a card")};
            }
            return token;
        };
        auto stored = co_await run_job(std::move(insert));
        if (!stored) {
            co_return std::unexpected{std::move(stored).error()};
        }
        co_return VaultToken{token};
    }

    asio::awaitable<Result<Pan>> get(std::string owner, VaultToken token) override {
        auto read = [this, owner, token]() -> Result<std::string> {
            Statement statement{database_, "SELECT sealed FROM card WHERE token=? AND owner=?"};
            statement.text(1, token.text());
            statement.text(2, owner);
            int const step = statement.step();
            if (step == SQLITE_DONE) {
                return fail(Errc::not_found, "vault: no card " + token.text());
            }
            if (step != SQLITE_ROW) {
                return std::unexpected{sqlite_error("cannot read a card")};
            }
            return statement.column(0);
        };
        auto const sealed = co_await run_job(std::move(read));
        if (!sealed) {
            co_return std::unexpected{sealed.error()};
        }
        auto plain = keys_.open(*sealed, associated(token.text(), owner));
        if (!plain) {
            co_return fail(
                plain.error().code, "vault: card " + token.text() + ": " + plain.error().context
            );
        }
        co_return Pan{std::move(*plain)};
    }

    asio::awaitable<Result<void>> remove(std::string owner, VaultToken token) override {
        auto erase = [this, owner, token]() -> Result<std::string> {
            Statement statement{database_, "DELETE FROM card WHERE token=? AND owner=?"};
            statement.text(1, token.text());
            statement.text(2, owner);
            if (statement.step() != SQLITE_DONE) {
                return std::unexpected{sqlite_error("cannot remove a card")};
            }
            return std::string{};
        };
        auto const removed = co_await run_job(std::move(erase));
        if (!removed) {
            co_return std::unexpected{removed.error()};
        }
        co_return Result<void>{};
    }

    std::string fingerprint(Pan const& pan) const override {
        auto const digest = fingerprint_key_.of(pan.reveal());
        return to_hex(view(digest)).substr(0, 16);
    }

    void hold_cvc(PaymentMethodId const& method, Cvv cvc) override {
        cvcs_.hold(method, std::move(cvc), clock_);
    }
    Cvv take_cvc(PaymentMethodId const& method) override { return cvcs_.take(method, clock_); }
    void hold_cryptogram(PaymentId const& payment, Cryptogram cryptogram) override {
        cryptograms_.hold(payment, std::move(cryptogram), clock_);
    }
    Cryptogram take_cryptogram(PaymentId const& payment) override {
        return cryptograms_.take(payment, clock_);
    }

private:
    using Work = std::function<Result<std::string>()>;
    using Handler = asio::any_completion_handler<void(Result<std::string>)>;
    struct Job {
        Work work;
        Handler handler;
        asio::any_io_executor home;
        std::optional<Result<std::string>> result;
    };

    Error sqlite_error(char const* doing) const {
        return {
            Errc::io,
            path_.string() + ": " + doing + ": " +
                (database_ == nullptr ? "out of memory" : sqlite3_errmsg(database_))
        };
    }

    // Each key that ever sealed here has sealed a known text first. A key file that was damaged or
    // mixed up is found at the start, before anything is sealed with a key that nobody has.
    Result<void> check_keys() {
        std::string const fresh = keys_.seal(kKeyCheck, kKeyCheck, random_);
        std::uint32_t const sealing = crypto::key_id_of(fresh);
        bool is_known = false;
        {
            Statement rows{database_, "SELECT key_id, sealed FROM key_check"};
            int step = rows.step();
            for (; step == SQLITE_ROW; step = rows.step()) {
                auto const id = static_cast<std::uint32_t>(rows.integer(0));
                auto const text = keys_.open(rows.column(1), kKeyCheck);
                if (!text || *text != kKeyCheck) {
                    return fail(
                        Errc::refused,
                        path_.string() + ": key " + std::to_string(id) +
                            " of the key file is missing or is not the one that sealed cards here; "
                            "restore the key file"
                    );
                }
                is_known = is_known || id == sealing;
            }
            if (step != SQLITE_DONE) {
                return std::unexpected{sqlite_error("cannot read")};
            }
        }
        if (is_known) {
            return {};
        }
        Statement insert{database_, "INSERT INTO key_check VALUES(?,?,?)"};
        insert.integer(1, sealing);
        insert.blob(2, fresh);
        insert.blob(3, view(crypto::sha256(fresh)));
        if (insert.step() != SQLITE_DONE) {
            return std::unexpected{sqlite_error("cannot store a key's check")};
        }
        return {};
    }

    asio::awaitable<Result<std::string>> run_job(Work work) {
        auto initiate = [this, &work](auto handler) {
            asio::any_io_executor const caller = asio::get_associated_executor(handler);
            auto home = asio::prefer(caller, asio::execution::outstanding_work.tracked);
            std::lock_guard const lock{mutex_};
            jobs_.push_back(
                {std::move(work), Handler{std::move(handler)}, std::move(home), std::nullopt}
            );
            wake_.notify_one();
        };
        co_return co_await asio::
            async_initiate<asio::use_awaitable_t<> const, void(Result<std::string>)>(
                std::move(initiate), asio::use_awaitable
            );
    }

    void run() {
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
            if (jobs_.empty()) {
                return;
            }
            std::deque<Job> batch;
            batch.swap(jobs_);
            lock.unlock();
            run_batch(batch);
            lock.lock();
        }
    }

    // Everything that waits is one transaction: one sync for all.
    void run_batch(std::deque<Job>& batch) {
        bool committed =
            sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK;
        if (committed) {
            for (Job& job : batch) {
                job.result = job.work();
            }
            committed = sqlite3_exec(database_, "COMMIT", nullptr, nullptr, nullptr) == SQLITE_OK;
        }
        Error const error = sqlite_error("cannot commit");
        if (!committed) {
            sqlite3_exec(database_, "ROLLBACK", nullptr, nullptr, nullptr);
        }
        for (Job& job : batch) {
            Result<std::string> result =
                committed ? std::move(*job.result) : Result<std::string>{std::unexpected{error}};
            asio::post(job.home, asio::append(std::move(job.handler), std::move(result)));
        }
        batch.clear();
    }

    crypto::KeyRing keys_;
    crypto::Random& random_;
    Clock const& clock_;
    crypto::HmacSha256 fingerprint_key_;
    std::filesystem::path path_;
    sqlite3* database_ = nullptr;
    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Job> jobs_;
    bool stopping_ = false;
    HeldSecrets<PaymentMethodId, Cvv> cvcs_;
    HeldSecrets<PaymentId, Cryptogram> cryptograms_;
    std::thread thread_;
};

}  // namespace

Result<std::unique_ptr<Vault>> Vault::open(
    std::filesystem::path const& directory,
    crypto::KeyRing keys,
    crypto::Random& random,
    Clock const& clock
) {
    auto vault = std::make_unique<SqliteVault>(std::move(keys), random, clock);
    FLORIN_TRY_VOID(vault->open(directory));
    return vault;
}

}  // namespace florin::vault
