// What every StateStore keeps, asked of each of them; and what a crash leaves.
#include "ledger/memory_state_store.h"
#include "tests/ledger/support.h"

#include <algorithm>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

struct InMemory {
    MemoryStateStore store;
    StateStore& get() { return store; }
};

struct OnDisk {
    TemporaryFolder folder;
    std::unique_ptr<StateStore> store = must(open_state(folder.path()));
    StateStore& get() { return *store; }
};

std::string value_of(StateStore const& store, Table table, std::string const& key) {
    return must(store.get(table, key)).value_or("(absent)");
}

std::string scanned(StateStore const& store, StateStore::Range const& range, int most = 1'000) {
    std::string found;
    must(store.scan(range, [&](ByteView key, ByteView value) -> Result<bool> {
        found.append(key).append("=").append(value).append(" ");
        return --most > 0;
    }));
    return found;
}

std::uint64_t number_in(StateStore const& store, Table table, std::string const& key) {
    auto const value = must(store.get(table, key));
    return value ? std::stoull(*value) : 0;
}

// Everything that a crash must leave of crash_child's work.
void check_consistent(StateStore const& store, std::uint64_t flushed, std::uint64_t ingested) {
    std::uint64_t const applied = number_in(store, Table::meta, "applied");
    CHECK(applied >= flushed);
    CHECK(number_in(store, Table::document, "document") == applied);
    CHECK(number_in(store, Table::timer, "timer") == applied);
    CHECK(number_in(store, Table::event, "event") == applied);
    CHECK(number_in(store, Table::counter, "counter") == applied);

    std::uint64_t const run = number_in(store, Table::account, "account");
    CHECK(run >= ingested);
    for (std::uint64_t i = 1; i <= run; ++i) {
        CHECK(must(store.get(Table::run, numbered(i))).has_value());
        CHECK(must(store.get(Table::transfer_id, numbered(i))).has_value());
    }
    CHECK_FALSE(must(store.get(Table::run, numbered(run + 1))).has_value());
    CHECK_FALSE(must(store.get(Table::transfer_id, numbered(run + 1))).has_value());
    std::string const open = run == 0 ? "" : numbered(run) + "=open ";
    CHECK(scanned(store, {.table = Table::pending, .from = {}, .to = {}}) == open);
}

}  // namespace

TEST_CASE("every table has a name of its own") {
    std::vector<std::string_view> names;
    for (std::size_t i = 0; i < kTableCount; ++i) {
        names.push_back(table_name(static_cast<Table>(i)));
        CHECK(names.back() != "unknown");
    }
    std::ranges::sort(names);
    CHECK(std::ranges::adjacent_find(names) == names.end());
}

TEST_CASE_TEMPLATE(
    "a write changes and removes keys of live tables, and only there", S, InMemory, OnDisk
) {
    S holder;
    StateStore& store = holder.get();
    must(store.write({{Table::document, "a", "1"}, {Table::timer, "a", "2"}, {Table::meta, "a", ""}}
    ));
    CHECK(value_of(store, Table::document, "a") == "1");
    CHECK(value_of(store, Table::timer, "a") == "2");
    CHECK(must(store.get(Table::meta, "a")) == "");
    CHECK_FALSE(must(store.get(Table::event, "a")));
    must(store.write({{Table::document, "a", "3"}, {Table::timer, "a", std::nullopt}}));
    CHECK(value_of(store, Table::document, "a") == "3");
    CHECK_FALSE(must(store.get(Table::timer, "a")));
    must(store.write({{Table::timer, "never", std::nullopt}}));
    // Within one write the later change counts.
    must(store.write({{Table::document, "a", std::nullopt}, {Table::document, "a", "4"}}));
    CHECK(value_of(store, Table::document, "a") == "4");
    must(store.write({}));
}

TEST_CASE_TEMPLATE("keys and values are any bytes", S, InMemory, OnDisk) {
    S holder;
    StateStore& store = holder.get();
    std::string const zeros(3, '\0');
    std::string const high = "\xff\xff";
    must(store.write({{Table::document, zeros, high}, {Table::document, high, zeros}}));
    CHECK(value_of(store, Table::document, zeros) == high);
    CHECK(value_of(store, Table::document, high) == zeros);
    // 0xff is the greatest byte, not -1.
    std::string last;
    must(store.scan(
        {.table = Table::document, .from = {}, .to = {}, .reverse = true},
        [&](ByteView key, ByteView) -> Result<bool> {
            last = key;
            return false;
        }
    ));
    CHECK(last == high);
}

TEST_CASE_TEMPLATE("a run replaces and removes what older runs put", S, InMemory, OnDisk) {
    S holder;
    StateStore& store = holder.get();
    must(store.ingest(ListedRun(
        {{Table::run, "1", "r"},
         {Table::account, "a", "1"},
         {Table::account, "b", "1"},
         {Table::expiry, "x", "1"}}
    )));
    CHECK(value_of(store, Table::account, "b") == "1");
    must(store.ingest(ListedRun(
        {{Table::run, "2", "r"}, {Table::account, "b", "2"}, {Table::expiry, "x", std::nullopt}}
    )));
    CHECK(value_of(store, Table::account, "a") == "1");
    CHECK(value_of(store, Table::account, "b") == "2");
    CHECK_FALSE(must(store.get(Table::expiry, "x")));
    CHECK(scanned(store, {.table = Table::expiry, .from = {}, .to = {}}).empty());
    CHECK(scanned(store, {.table = Table::run, .from = {}, .to = {}}) == "1=r 2=r ");
    // And puts back what a run removed; a run of removals only is a run too.
    must(store.ingest(ListedRun({{Table::expiry, "x", "3"}})));
    CHECK(value_of(store, Table::expiry, "x") == "3");
    must(store.ingest(
        ListedRun({{Table::expiry, "never", std::nullopt}, {Table::expiry, "x", std::nullopt}})
    ));
    CHECK_FALSE(must(store.get(Table::expiry, "x")));
    must(store.ingest(ListedRun({})));
}

TEST_CASE_TEMPLATE(
    "a scan gives a range in both directions, and stops when told", S, InMemory, OnDisk
) {
    S holder;
    StateStore& store = holder.get();
    must(store.write(
        {{Table::event, "b", "1"},
         {Table::event, "d", "2"},
         {Table::event, "da", "3"},
         {Table::event, "f", "4"},
         {Table::counter, "c", "9"}}
    ));
    auto const range = [](std::string from, std::string to, bool reverse = false) {
        return StateStore::Range{
            .table = Table::event, .from = std::move(from), .to = std::move(to), .reverse = reverse
        };
    };
    CHECK(scanned(store, range("", "")) == "b=1 d=2 da=3 f=4 ");
    CHECK(scanned(store, range("", "", true)) == "f=4 da=3 d=2 b=1 ");
    CHECK(scanned(store, range("d", "f")) == "d=2 da=3 ");
    CHECK(scanned(store, range("d", "f", true)) == "da=3 d=2 ");
    CHECK(scanned(store, range("c", "e")) == "d=2 da=3 ");
    CHECK(scanned(store, range("c", "e", true)) == "da=3 d=2 ");
    CHECK(scanned(store, range("d", "d")).empty());
    CHECK(scanned(store, range("d", "d", true)).empty());
    CHECK(scanned(store, range("g", "")).empty());
    CHECK(scanned(store, range("g", "", true)).empty());
    CHECK(scanned(store, range("f", "b")).empty());
    CHECK(scanned(store, range("", ""), 2) == "b=1 d=2 ");
    CHECK(scanned(store, range("", "", true), 1) == "f=4 ");
    auto const broken = store.scan(range("", ""), [](ByteView, ByteView) -> Result<bool> {
        return fail(Errc::timeout, "the visitor's own error");
    });
    CHECK(refused(broken).code == Errc::timeout);
}

TEST_CASE_TEMPLATE(
    "a scan sees one moment, and its visitor may use the store", S, InMemory, OnDisk
) {
    S holder;
    StateStore& store = holder.get();
    must(store.write({{Table::event, "a", "1"}, {Table::event, "b", "1"}}));
    std::string seen;
    must(store.scan(
        {.table = Table::event, .from = {}, .to = {}},
        [&](ByteView key, ByteView value) -> Result<bool> {
            seen.append(key).append(value);
            FLORIN_TRY_VOID(store.write({{Table::event, "b", "2"}, {Table::event, "c", "2"}}));
            return true;
        }
    ));
    CHECK(seen == "a1b1");
    CHECK(scanned(store, {.table = Table::event, .from = {}, .to = {}}) == "a=1 b=2 c=2 ");
}

TEST_CASE("a crash of the store in memory takes live changes since the last flush, and no run") {
    MemoryStateStore store;
    must(store.write(live_changes(1)));
    must(store.flush());
    must(store.write(live_changes(2)));
    must(store.ingest(run_changes(1)));
    store.crash();
    check_consistent(store, 1, 1);
    CHECK(value_of(store, Table::meta, "applied") == "1");
}

TEST_CASE("what was flushed or ingested is there when the store is opened again") {
    TemporaryFolder folder;
    {
        auto const store = must(open_state(folder.path()));
        must(store->write(live_changes(1)));
        must(store->ingest(run_changes(1)));
        must(store->flush());
        must(store->ingest(run_changes(2)));
    }
    auto const store = must(open_state(folder.path()));
    check_consistent(*store, 1, 2);
    must(store->verify_files());
}

TEST_CASE("a killed process leaves live tables of one write and runs that are whole") {
    TemporaryFolder folder;
    std::uint64_t flushed = 0;
    std::uint64_t ingested = 0;
    for (int round = 0; round < 5; ++round) {
        Child child{{"store", folder.path().string()}};
        for (int i = 0; i < 4 + 3 * round; ++i) {
            auto const line = child.line();
            REQUIRE(line);
            REQUIRE_MESSAGE(!line->starts_with("failed"), *line);
            std::uint64_t const number = std::stoull(line->substr(line->find(' ')));
            (line->starts_with("flushed") ? flushed : ingested) = number;
        }
        child.kill();
        CAPTURE(round);
        auto const store = must(open_state(folder.path()));
        check_consistent(*store, flushed, ingested);
        must(store->verify_files());
        CHECK(fs::is_empty(folder / "state" / "ingest"));
    }
}

TEST_CASE("a flush that memory forces takes all live tables together") {
    TemporaryFolder folder;
    {
        Child child{{"fill-memory", folder.path().string(), "150"}};
        REQUIRE(child.line() == "written");
    }
    auto const store = must(open_state(folder.path()));
    check_consistent(*store, 1, 0);
}

TEST_CASE("files of a run that never arrived are removed on opening") {
    TemporaryFolder folder;
    static_cast<void>(must(open_state(folder.path())));
    write_file(folder / "state" / "ingest" / "account.1.sst", "half a file");
    static_cast<void>(must(open_state(folder.path(), true)));
    CHECK_FALSE(fs::is_empty(folder / "state" / "ingest"));
    static_cast<void>(must(open_state(folder.path())));
    CHECK(fs::is_empty(folder / "state" / "ingest"));
}

TEST_CASE("a run that is not sorted is refused by the disk store and leaves nothing") {
    TemporaryFolder folder;
    auto const store = must(open_state(folder.path()));
    CHECK_FALSE(store->ingest(ListedRun({{Table::account, "b", "1"}, {Table::account, "a", "1"}})));
    CHECK_FALSE(store->ingest(ListedRun({{Table::account, "b", "1"}, {Table::account, "b", "2"}})));
    CHECK_FALSE(must(store->get(Table::account, "b")));
    CHECK(fs::is_empty(folder / "state" / "ingest"));
    must(store->ingest(ListedRun({{Table::account, "b", "1"}})));
}

TEST_CASE("reading only creates nothing, changes nothing and writes nothing") {
    TemporaryFolder folder;
    CHECK(refused(open_state(folder.path(), true)).code == Errc::not_found);
    CHECK(fs::is_empty(folder.path()));
    {
        auto const store = must(open_state(folder.path()));
        must(store->write(live_changes(1)));
        must(store->ingest(run_changes(1)));
    }
    auto const before = bytes_of_tree(folder.path());
    {
        auto const store = must(open_state(folder.path(), true));
        check_consistent(*store, 1, 1);
        must(store->verify_files());
        CHECK(refused(store->write(live_changes(2))).code == Errc::unsupported);
        CHECK(refused(store->ingest(run_changes(2))).code == Errc::unsupported);
        CHECK(refused(store->flush()).code == Errc::unsupported);
        check_consistent(*store, 1, 1);
    }
    CHECK(bytes_of_tree(folder.path()) == before);
}

TEST_CASE("no flipped byte of a view's file goes unnoticed, and the file is named") {
    TemporaryFolder folder;
    {
        auto const store = must(open_state(folder.path()));
        must(store->write(live_changes(1)));
        must(store->ingest(run_changes(1)));
        must(store->flush());
    }
    auto const tables = files_with_extension(folder / "state", ".sst");
    REQUIRE(tables.size() == 9);
    for (fs::path const& table : tables) {
        std::string const whole = bytes_of_file(table);
        for (std::size_t at = 0; at < whole.size(); at += 1 + whole.size() / 8) {
            CAPTURE(table.string());
            CAPTURE(at);
            std::string damaged = whole;
            damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
            write_file(table, damaged);
            auto const store = open_state(folder.path(), true);
            Error const error = store ? refused((*store)->verify_files()) : store.error();
            CHECK(error.code == Errc::corrupt);
            CHECK_MESSAGE(mentions(error, table.stem().string()), error.context);
        }
        write_file(table, whole);
    }
    must(must(open_state(folder.path(), true))->verify_files());
}
