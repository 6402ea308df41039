// A bit flipped anywhere in a ledger's files is found by verify: in journal, views and witness,
// with stored runs of every table, after a clean stop and after a crash.
//
//   FLORIN_DAMAGE_SEED=n  other places; FLORIN_SOAK=1 twenty times as many
#include "ledger/ledger.h"
#include "ledger/store/snapshot.h"
#include "ledger/verify.h"
#include "tests/ledger/support.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <regex>
#include <set>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

constexpr std::uint32_t kAccounts = 40;

// Every table of the views gets entries: transfers of all kinds, with and without user data, a
// refusal that uses up an id, expiries that are open and others that are over.
void fill(Ledger& ledger, std::mt19937_64& random) {
    CreateAccounts accounts;
    for (std::uint32_t i = 1; i <= kAccounts; ++i) {
        Account account;
        account.id = i;
        account.ledger = 1 + i % 2;
        account.code = 1;
        account.user_data_64 = i % 3;
        accounts.events.push_back(account);
    }
    REQUIRE(ledger.call(accounts).has_value());
    u128 id = 1'000;
    for (int batch = 0; batch < 60; ++batch) {
        CreateTransfers request;
        for (int i = 0; i < 40; ++i) {
            Transfer transfer;
            transfer.id = ++id;
            transfer.debit_account_id = 1 + random() % kAccounts;
            transfer.credit_account_id = 1 + random() % kAccounts;
            transfer.ledger = static_cast<std::uint32_t>(1 + transfer.debit_account_id % 2);
            transfer.amount = random() % 1'000;
            transfer.code = 1;
            transfer.user_data_128 = random() % 4;
            transfer.user_data_32 = static_cast<std::uint32_t>(random() % 2);
            switch (random() % 4) {
                case 0:
                    transfer.flags = transfer_pending;
                    transfer.timeout = random() % 2 == 0 ? 1 : 1'000'000;
                    break;
                case 1:
                    transfer = {};
                    transfer.id = id;
                    transfer.pending_id = id - 1 - random() % 20;
                    transfer.flags =
                        random() % 2 == 0 ? post_pending_transfer : void_pending_transfer;
                    transfer.amount = transfer.flags == post_pending_transfer ? kU128Max : 0;
                    break;
                default: break;
            }
            request.events.push_back(transfer);
        }
        REQUIRE(ledger.call(request).has_value());
        REQUIRE(ledger.call(AdvanceClock{.ns = kNanosecondsPerSecond / 2}).has_value());
    }
    Command command;
    command.puts.push_back({.key = {1, "owner", "id"}, .expected_version = 0, .body = "a body"});
    command.set_timers.push_back({.due_ns = 5, .kind = 1, .key = "timer"});
    command.events.push_back({.owner = "owner", .id = "event", .type = "type", .body = "text"});
    command.take_counters.push_back({.counter = "c", .min = 1, .max = 9, .holder = "holder"});
    REQUIRE(ledger.call(command).has_value());
}

// As docs/data-directory.md lists them.
bool holds_facts(std::string const& name) {
    static std::regex const kNone{
        "LOCK|ledger/(log|state)/(LOCK|LOG|IDENTITY|OPTIONS-[0-9]+|ingest/.*)"
    };
    return !std::regex_match(name, kNone);
}

std::vector<std::string> files_with_facts(fs::path const& folder) {
    std::vector<std::string> names;
    for (auto const& entry : fs::recursive_directory_iterator{folder}) {
        std::string const name = fs::relative(entry.path(), folder).string();
        if (entry.is_regular_file() && entry.file_size() > 0 && holds_facts(name)) {
            names.push_back(name);
        }
    }
    std::ranges::sort(names);
    return names;
}

void flip(fs::path const& file, std::uint64_t at, unsigned bit) {
    std::fstream stream{file, std::ios::in | std::ios::out | std::ios::binary};
    stream.seekg(static_cast<std::streamoff>(at));
    int const byte = stream.get();
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(static_cast<char>(static_cast<unsigned char>(static_cast<unsigned>(byte) ^ bit)));
    stream.close();
    REQUIRE(stream.good());
}

Result<VerifyReport> verify(fs::path const& data_dir, fs::path const& scratch) {
    return verify_ledger({.data_dir = data_dir, .scratch = scratch}, [](VerifyProgress const&) {});
}

// A table file that a crash has left behind: nothing names it, so nothing misses it.
bool is_left_behind(fs::path const& data_dir, std::string const& name, fs::path const& scratch) {
    if (!name.ends_with(".sst")) {
        return false;
    }
    fs::rename(data_dir / name, scratch / "aside");
    bool const is_missed = !verify(data_dir, scratch).has_value();
    fs::rename(scratch / "aside", data_dir / name);
    return !is_missed;
}

// A bit in the length of a manifest's last record makes it look cut short, which after a crash is
// nothing unusual: the views are those of a little earlier, and what they lack is in the journal.
bool is_older_views(std::string const& name) {
    return name.starts_with("ledger/state/MANIFEST");
}

void flip_everywhere(fs::path const& data_dir, fs::path const& scratch, std::size_t flips) {
    std::random_device device;
    char const* const wanted = std::getenv("FLORIN_DAMAGE_SEED");
    std::uint64_t const seed = wanted != nullptr ? std::stoull(wanted) : device();
    std::mt19937_64 random{seed};
    auto const names = files_with_facts(data_dir);
    auto const report = verify(data_dir, scratch);
    REQUIRE_MESSAGE(report.has_value(), (report ? "" : report.error().context));
    std::size_t left_behind = 0;
    for (std::size_t i = 0; i < flips; ++i) {
        // Every file in turn first: small ones are as important as large ones.
        std::string const& name =
            names[i < 2 * names.size() ? i % names.size() : random() % names.size()];
        std::uint64_t const at = random() % fs::file_size(data_dir / name);
        unsigned const bit = 1U << (random() % 8);
        flip(data_dir / name, at, bit);
        auto const found = verify(data_dir, scratch);
        flip(data_dir / name, at, bit);
        if (found && (is_older_views(name) || is_left_behind(data_dir, name, scratch))) {
            ++left_behind;
            continue;
        }
        REQUIRE_MESSAGE(
            !found.has_value(),
            "FLORIN_DAMAGE_SEED=" << seed << ": " << name << ", byte " << at << ", bit " << bit
                                  << " was not noticed"
        );
        // RocksDB calls some damage an error of input; never "there is no ledger".
        Errc const code = found.error().code;
        bool const is_named = code == Errc::corrupt || code == Errc::io || name == "FORMAT";
        REQUIRE_MESSAGE(is_named, name << ": " << to_string(found.error()));
        CHECK(!found.error().context.empty());
    }
    auto const whole = verify(data_dir, scratch);
    REQUIRE_MESSAGE(whole.has_value(), (whole ? "" : whole.error().context));
    MESSAGE(
        flips << " flips in " << names.size() << " files, " << left_behind
              << " of them where nothing is lost, seed " << seed
    );
}

std::size_t flips_wanted() {
#ifdef FLORIN_SANITIZED
    constexpr std::size_t kFlips = 40;
#else
    constexpr std::size_t kFlips = 500;
#endif
    char const* const soak = std::getenv("FLORIN_SOAK");
    return soak != nullptr && std::string_view{soak} == "1" ? 20 * kFlips : kFlips;
}

// Where the header of the last record of a RocksDB log begins. Grammar (doc/log_format.md of
// LevelDB, which RocksDB's manifests follow): blocks of 32 KiB, each of records {crc 4, length 2,
// type 1, bytes}; a rest of a block that is too short for a header is zeros.
std::uint64_t last_record_of(std::string const& log) {
    constexpr std::uint64_t kBlock = 32'768;
    constexpr std::uint64_t kHeader = 7;
    std::uint64_t last = log.size();
    std::uint64_t at = 0;
    while (at + kHeader <= log.size()) {
        if (kBlock - at % kBlock < kHeader) {
            at += kBlock - at % kBlock;
            continue;
        }
        auto const byte = [&](std::uint64_t i) -> unsigned {
            return static_cast<unsigned char>(log[at + i]);
        };
        std::uint64_t const length = byte(4) | byte(5) << 8U;
        if (length == 0 && byte(6) == 0) {
            break;
        }
        last = at;
        at += kHeader + length;
    }
    REQUIRE(at == log.size());  // we read it as it was written
    return last;
}

fs::path manifest_of_views(fs::path const& data_dir) {
    std::string name = bytes_of_file(data_dir / "ledger/state/CURRENT");
    REQUIRE(name.ends_with('\n'));
    name.pop_back();
    return data_dir / "ledger/state" / name;
}

std::vector<Account> accounts_of(Ledger& ledger) {
    LookupAccounts wanted;
    for (std::uint32_t i = 1; i <= kAccounts + 1; ++i) {
        wanted.ids.push_back(i);
    }
    return std::get<AccountsAnswer>(must(ledger.call(wanted))).accounts;
}

LedgerOptions options(fs::path const& data_dir) {
    LedgerOptions options;
    options.data_dir = data_dir;
    options.manual_clock = true;
    options.run_transfers = 300;
    return options;
}

}  // namespace

TEST_CASE("a flipped bit is found after a clean stop") {
    TemporaryFolder folder;
    SystemClock const clock;
    std::mt19937_64 random{1};
    {
        auto const ledger = must(Ledger::open(options(folder / "data"), clock));
        fill(*ledger, random);
    }
    {
        // However slow the thread that stores runs was: the next start stores what it left, with
        // the first group, and a clean stop waits for it.
        auto const ledger = must(Ledger::open(options(folder / "data"), clock));
        CreateAccounts one_more;
        one_more.events.push_back({.id = kAccounts + 1, .ledger = 1, .code = 1});
        REQUIRE(ledger->call(one_more).has_value());
    }
    auto const report = verify(folder / "data", folder.path());
    REQUIRE(report.has_value());
    CHECK(report->view_entries > 2'000);  // the runs are stored
    flip_everywhere(folder / "data", folder.path(), flips_wanted());
}

TEST_CASE("a flipped bit is found after a crash, with a log that nobody has replayed") {
    TemporaryFolder folder;
    SystemClock const clock;
    std::mt19937_64 random{2};
    {
        auto const ledger = must(Ledger::open(options(folder / "running"), clock));
        fill(*ledger, random);
        // Everything was answered, so a picture holds what a crash would leave; a run may be on its
        // way to the store.
        auto const picture = must(ReadableDirectory::of(folder / "running"));
        REQUIRE(picture.is_picture());
        fs::copy(picture.path(), folder / "data", fs::copy_options::recursive);
    }
    flip_everywhere(folder / "data", folder.path(), flips_wanted());
}

TEST_CASE("a table file whose properties are damaged is refused, and does not stop the process") {
    TemporaryFolder folder;
    SystemClock const clock;
    std::mt19937_64 random{4};
    {
        auto const ledger = must(Ledger::open(options(folder / "data"), clock));
        fill(*ledger, random);
    }
    std::vector<std::string> tables;
    for (std::string const& name : files_with_facts(folder / "data")) {
        if (name.ends_with(".sst") && !is_left_behind(folder / "data", name, folder.path())) {
            tables.push_back(name);
        }
    }
    // Of any table; each takes seconds, and ten of them under sanitizers.
#ifdef FLORIN_SANITIZED
    constexpr std::size_t kTables = 1;
#else
    constexpr std::size_t kTables = 3;
#endif
    std::ranges::shuffle(tables, random);
    tables.resize(std::min(tables.size(), kTables));
    REQUIRE(!tables.empty());
    std::size_t named = 0;
    for (std::string const& name : tables) {
        // The footer, the index of blocks and the end of the properties before it, where the bit
        // stands that RocksDB's assertion is about.
        constexpr std::uint64_t kTail = 192;
        constexpr unsigned kTopBit = 0x80;
        std::uint64_t const size = fs::file_size(folder / "data" / name);
        for (std::uint64_t at = size - std::min(size, kTail); at < size; ++at) {
            CAPTURE(name);
            CAPTURE(at);
            flip(folder / "data" / name, at, kTopBit);
            auto const found = verify(folder / "data", folder.path());
            flip(folder / "data" / name, at, kTopBit);
            REQUIRE(!found.has_value());
            CHECK((found.error().code == Errc::corrupt || found.error().code == Errc::io));
            if (found.error().context.contains("damaged: its properties")) {
                ++named;
            }
        }
    }
    CHECK(named >= tables.size());  // that one bit of each, and some that lead elsewhere
}

TEST_CASE("a flipped bit in the length of a manifest's last record loses nothing") {
    TemporaryFolder folder;
    SystemClock const clock;
    std::mt19937_64 random{3};
    std::vector<Account> accounts;
    {
        auto const ledger = must(Ledger::open(options(folder / "data"), clock));
        fill(*ledger, random);
        accounts = accounts_of(*ledger);
    }
    auto const before = must(verify(folder / "data", folder.path()));
    std::uint64_t const last = last_record_of(bytes_of_file(manifest_of_views(folder / "data")));
    int opened = 0;
    for (unsigned bit = 0; bit < 16; ++bit) {
        CAPTURE(bit);
        fs::copy(folder / "data", folder / "damaged", fs::copy_options::recursive);
        flip(manifest_of_views(folder / "damaged"), last + 4 + bit / 8, 1U << bit % 8);
        {
            auto const ledger = Ledger::open(options(folder / "damaged"), clock);
            if (ledger) {
                ++opened;
                CHECK((*ledger)->head().sequence >= before.head.sequence);
                CHECK(accounts_of(**ledger) == accounts);
            } else {
                // It is noticed, and the journal has everything: the way out that the documentation
                // names.
                CHECK((ledger.error().code == Errc::corrupt || ledger.error().code == Errc::io));
                fs::remove_all(folder / "damaged/ledger/state");
                auto const anew = must(Ledger::open(options(folder / "damaged"), clock));
                CHECK(accounts_of(*anew) == accounts);
            }
        }
        // Views and journal agree, key by key.
        auto const after = must(verify(folder / "damaged", folder.path()));
        CHECK(after.transfers == before.transfers);
        CHECK(after.accounts == before.accounts);
        CHECK(after.documents == before.documents);
        CHECK(after.payloads == before.payloads);
        fs::remove_all(folder / "damaged");
    }
    CHECK(opened > 0);
    MESSAGE(opened << " of 16 flips did not keep the ledger from opening");
}
