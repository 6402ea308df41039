// The journal on disk: what a crash, a full disk, damage and a second look do to it.
#include "tests/ledger/support.h"

#include <algorithm>
#include <cstring>

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

// A closed journal of `groups` groups of two records, all of it still in the write-ahead log.
struct Written {
    TemporaryFolder folder;
    Position head;
    fs::path wal;

    explicit Written(int groups) {
        auto const journal = must(open_journal(folder.path()));
        Lease const lease = must(journal->acquire(0));
        for (int i = 0; i < groups; ++i) {
            head = extend(*journal, lease, 2, {.transfers = 40, .payloads = 1});
        }
        for (fs::path const& log : files_with_extension(folder / "log", ".log")) {
            if (wal.empty() || log > wal) {
                wal = log;
            }
        }
    }
};

// A copy to damage.
struct Copied {
    TemporaryFolder folder;
    explicit Copied(fs::path const& original) {
        fs::copy(
            original,
            folder.path(),
            fs::copy_options::recursive | fs::copy_options::overwrite_existing
        );
    }
};

void flip(fs::path const& file, std::size_t at) {
    std::string bytes = bytes_of_file(file);
    bytes[at] = static_cast<char>(bytes[at] ^ 0x20);
    write_file(file, bytes);
}

// Opens for reading, checks every file and every record, as verify does.
Result<Sequence> look_at_everything(fs::path const& folder) {
    FLORIN_TRY(auto const journal, open_journal(folder, true));
    FLORIN_TRY_VOID(journal->verify_files());
    return check_chain(*journal);
}

}  // namespace

TEST_CASE("a journal keeps its id, its records and its epoch when it is opened again") {
    TemporaryFolder folder;
    Position head;
    {
        auto const journal = must(open_journal(folder.path()));
        head = extend(*journal, must(journal->acquire(0)), 3, {.transfers = 40, .payloads = 1});
        must(journal->drop_payloads({{2, 0}}));
    }
    for (int round = 1; round <= 3; ++round) {
        auto const journal = must(LocalJournal::open(
            {.directory = folder / "log", .witness = folder / "HEAD", .new_ledger_id = {}}
        ));
        CHECK(journal->ledger_id() == kLedgerId);
        Head const found = must(journal->head());
        CHECK(found.last == head);
        CHECK(found.epoch == static_cast<Epoch>(round));
        CHECK_FALSE(must(journal->payload(2, 0)));
        head = extend(*journal, must(journal->acquire(found.epoch)), 1);
        CHECK(must(check_chain(*journal)) == static_cast<Sequence>(3 + round));
    }
}

TEST_CASE("an epoch that wrote nothing leaves no trace") {
    TemporaryFolder folder;
    CHECK(must(must(open_journal(folder.path()))->acquire(0)).epoch == 1);
    CHECK(must(must(open_journal(folder.path()))->head()).epoch == 0);
}

TEST_CASE("a killed process has lost nothing that it acknowledged") {
    TemporaryFolder folder;
    Sequence acknowledged = 0;
    for (int round = 0; round < 4; ++round) {
        Child child{{"append", folder.path().string()}};
        for (int i = 0; i < 5 + 7 * round; ++i) {
            auto const line = child.line();
            REQUIRE(line);
            REQUIRE_MESSAGE(!line->starts_with("failed"), *line);
            acknowledged = std::stoull(*line);
        }
        child.kill();
        auto const journal = must(open_journal(folder.path()));
        Sequence const last = must(check_chain(*journal));
        CHECK(last >= acknowledged);
        CHECK(last % 2 == 0);  // groups are whole
        CHECK((must(journal->transfer(last, 69)).id == last * 1'000 + 69));
    }
}

TEST_CASE("a failed write is unknown, everything after it is not sent, and the restart goes on") {
    TemporaryFolder folder;
    std::vector<std::string> lines;
    {
        Child child{{"append-until-full", folder.path().string(), "200000"}};
        while (auto const line = child.line()) {
            lines.push_back(*line);
        }
    }
    REQUIRE(lines.size() > 4);
    std::size_t const failed = lines.size() - 3;
    CHECK(lines[failed - 1].starts_with("committed "));
    CHECK(lines[failed].starts_with("unknown "));
    CHECK(lines[failed].find((folder / "log").string()) != std::string::npos);
    CHECK(lines[failed + 1].starts_with("not_sent "));
    CHECK(lines[failed + 2].starts_with("not_sent "));
    auto const journal = must(open_journal(folder.path()));
    Sequence const last = must(check_chain(*journal));
    CHECK(last >= failed);
    CHECK(last <= failed + 1);
    extend(*journal, must(journal->acquire(must(journal->head()).epoch)), 1);
}

TEST_CASE("a log that was cut below its witness is refused, naming both ends, and left as it is") {
    Written const written{6};
    std::string const whole = bytes_of_file(written.wal);
    for (double const part : {0.0, 0.2, 0.5, 0.9, 0.999}) {
        CAPTURE(part);
        Copied const copy{written.folder.path()};
        fs::path const wal = copy.folder / "log" / written.wal.filename();
        write_file(wal, whole.substr(0, static_cast<std::size_t>(part * double(whole.size()))));
        auto const before = bytes_of_tree(copy.folder.path());
        for (bool const read_only : {true, false}) {
            Error const error = refused(open_journal(copy.folder.path(), read_only));
            CHECK(error.code == Errc::corrupt);
            CHECK(mentions(error, "ends at record"));
            CHECK(mentions(error, "record 12 was written and synced"));
        }
        CHECK(bytes_of_tree(copy.folder.path()) == before);
    }
}

TEST_CASE("a torn tail that the witness has not seen is cut") {
    Written written{4};
    std::string const early = bytes_of_file(written.folder / "HEAD");
    {
        auto const journal = must(open_journal(written.folder.path()));
        extend(*journal, must(journal->acquire(1)), 2, {.transfers = 40});
    }
    write_file(written.folder / "HEAD", early);
    auto const logs = files_with_extension(written.folder / "log", ".log");
    fs::path const wal = *std::ranges::max_element(logs);
    std::string const whole = bytes_of_file(wal);
    write_file(wal, whole.substr(0, whole.size() - 1'000));
    auto const journal = must(open_journal(written.folder.path()));
    CHECK(must(journal->head()).last == written.head);
    CHECK(must(check_chain(*journal)) == 8);
    extend(*journal, must(journal->acquire(must(journal->head()).epoch)), 1);
}

TEST_CASE("a witness that is behind is caught up with, and checked at its place") {
    Written const written{2};
    std::string const early = bytes_of_file(written.folder / "HEAD");
    Position head;
    {
        auto const journal = must(open_journal(written.folder.path()));
        head = extend(*journal, must(journal->acquire(1)), 5);
    }
    write_file(written.folder / "HEAD", early);
    CHECK(must(must(open_journal(written.folder.path()))->head()).last == head);
    CHECK(bytes_of_file(written.folder / "HEAD") != early);
}

TEST_CASE("a witness of another history is refused") {
    Written const one{2};
    TemporaryFolder other;
    {
        auto const journal = must(open_journal(other.path()));
        extend(*journal, must(journal->acquire(0)), 4, {.salt = 1});
    }
    Copied const copy{one.folder.path()};
    write_file(copy.folder / "HEAD", bytes_of_file(other / "HEAD"));
    Error const error = refused(open_journal(copy.folder.path()));
    CHECK(error.code == Errc::corrupt);
    CHECK(mentions(error, "record 4: is not the one"));
}

TEST_CASE("a journal whose witness is gone, or a witness whose journal is gone, is refused") {
    Written const written{2};
    {
        Copied const copy{written.folder.path()};
        fs::remove(copy.folder / "HEAD");
        for (bool const read_only : {true, false}) {
            Error const error = refused(open_journal(copy.folder.path(), read_only));
            CHECK(error.code == Errc::corrupt);
            CHECK(mentions(error, "HEAD: is gone"));
            CHECK(mentions(error, "record 4"));
        }
        CHECK_FALSE(fs::exists(copy.folder / "HEAD"));
    }
    Copied const copy{written.folder.path()};
    fs::remove_all(copy.folder / "log");
    for (bool const read_only : {true, false}) {
        Error const error = refused(open_journal(copy.folder.path(), read_only));
        CHECK(error.code == Errc::corrupt);
        CHECK(mentions(error, "the journal is gone"));
    }
    CHECK_FALSE(fs::exists(copy.folder / "log"));
}

TEST_CASE("one damaged slot of the witness is tolerated by opening and told by verify") {
    Written const written{3};
    for (std::size_t at = 0; at < 128; ++at) {
        CAPTURE(at);
        Copied const copy{written.folder.path()};
        flip(copy.folder / "HEAD", at);
        auto const journal = must(open_journal(copy.folder.path(), true));
        CHECK(must(journal->head()).last == written.head);
        Error const error = refused(journal->verify_files());
        CHECK(error.code == Errc::corrupt);
        CHECK(mentions(error, "HEAD"));
    }
    Copied const copy{written.folder.path()};
    flip(copy.folder / "HEAD", 3);
    flip(copy.folder / "HEAD", 67);
    CHECK(refused(open_journal(copy.folder.path())).code == Errc::corrupt);
    write_file(copy.folder / "HEAD", "");
    CHECK(refused(open_journal(copy.folder.path())).code == Errc::corrupt);
}

TEST_CASE("no flipped byte of the write-ahead log goes unnoticed") {
    Written const written{4};
    std::size_t const size = fs::file_size(written.wal);
    std::vector<std::size_t> places;
    for (std::size_t at = 0; at < size; at += size / 60) {
        places.push_back(at);
    }
    for (std::size_t at = 0; at < 12; ++at) {
        places.push_back(at);
        places.push_back(size - 1 - at);
    }
    Copied const copy{written.folder.path()};
    fs::path const wal = copy.folder / "log" / written.wal.filename();
    std::string const whole = bytes_of_file(wal);
    for (std::size_t const at : places) {
        CAPTURE(at);
        flip(wal, at);
        auto const found = look_at_everything(copy.folder.path());
        CHECK(refused(found).code == Errc::corrupt);
        write_file(wal, whole);
    }
    CHECK(must(look_at_everything(copy.folder.path())) == 8);
}

TEST_CASE("no flipped byte of a table file goes unnoticed, and the file is named") {
    Written const written{4};
    // Opening moves the log into table files.
    static_cast<void>(must(open_journal(written.folder.path())));
    auto const tables = files_with_extension(written.folder / "log", ".sst");
    REQUIRE(tables.size() >= 2);  // records and payloads
    for (fs::path const& table : tables) {
        std::size_t const size = fs::file_size(table);
        std::string const whole = bytes_of_file(table);
        for (std::size_t at = 0; at < size; at += 1 + size / 40) {
            CAPTURE(table.string());
            CAPTURE(at);
            flip(table, at);
            Error const error = refused(look_at_everything(written.folder.path()));
            CHECK(error.code == Errc::corrupt);
            CHECK(mentions(error, (written.folder / "log").string()));
            write_file(table, whole);
        }
    }
    fs::path const table = tables.front();
    std::string const whole = bytes_of_file(table);
    flip(table, whole.size() / 3);
    auto const journal = open_journal(written.folder.path(), true);
    if (journal) {
        CHECK(mentions(refused((*journal)->verify_files()), table.filename().string()));
    }
    write_file(table, whole);
    CHECK(must(look_at_everything(written.folder.path())) == 8);
}

TEST_CASE("a table file that is missing or short is refused on opening") {
    Written const written{4};
    static_cast<void>(must(open_journal(written.folder.path())));
    for (bool const remove : {true, false}) {
        Copied const copy{written.folder.path()};
        fs::path const table = files_with_extension(copy.folder / "log", ".sst").front();
        if (remove) {
            fs::remove(table);
        } else {
            fs::resize_file(table, fs::file_size(table) - 1);
        }
        Error const error = refused(open_journal(copy.folder.path()));
        CHECK(error.code == Errc::corrupt);
        CHECK_MESSAGE(mentions(error, table.stem().string()), error.context);
    }
}

TEST_CASE("reading only creates nothing, changes nothing and appends nothing") {
    Written const written{3};
    auto const before = bytes_of_tree(written.folder.path());
    {
        auto const journal = must(open_journal(written.folder.path(), true));
        CHECK(must(check_chain(*journal)) == 6);
        must(journal->verify_files());
        CHECK(refused(journal->acquire(1)).code == Errc::unsupported);
        CHECK(refused(journal->drop_payloads({{1, 0}})).code == Errc::unsupported);
        CHECK(must(journal->payload(1, 0)).has_value());
        Group const group = a_group(written.head, 1, 1);
        CHECK(
            append(*journal, {.epoch = 1, .leader_id = {}}, written.head, group).outcome ==
            AppendOutcome::not_sent
        );
    }
    CHECK(bytes_of_tree(written.folder.path()) == before);

    TemporaryFolder const empty;
    CHECK(refused(open_journal(empty.path(), true)).code == Errc::not_found);
    CHECK(fs::is_empty(empty.path()));
}

TEST_CASE("a creation that was interrupted is finished the next time") {
    TemporaryFolder folder;
    static_cast<void>(must(open_journal(folder.path())));
    fs::remove(folder / "HEAD");  // the last thing that creation makes
    write_file(folder / "HEAD.new", "half");
    auto const journal = must(open_journal(folder.path()));
    CHECK(journal->ledger_id() == kLedgerId);
    extend(*journal, must(journal->acquire(0)), 1);
}

TEST_CASE("the thread that waits for the disk has a name, and completes there") {
    TemporaryFolder folder;
    auto const journal = must(open_journal(folder.path()));
    Lease const lease = must(journal->acquire(0));
    Position const head = must(journal->head()).last;
    std::mutex mutex;
    std::condition_variable done;
    std::string name;
    journal->append(lease, head, a_group(head, 1, 1), [&](AppendOutcome, std::string const&) {
        char buffer[16] = {};
        pthread_getname_np(pthread_self(), buffer, sizeof buffer);
        std::lock_guard const lock{mutex};
        name = buffer;
        done.notify_one();
    });
    std::unique_lock lock{mutex};
    done.wait(lock, [&] { return !name.empty(); });
    CHECK(name == "florin-journal");
}

TEST_CASE("closing waits for the group that is in flight") {
    TemporaryFolder folder;
    std::optional<AppendOutcome> outcome;
    {
        auto const journal = must(open_journal(folder.path()));
        Lease const lease = must(journal->acquire(0));
        Position const head = must(journal->head()).last;
        journal->append(
            lease,
            head,
            a_group(head, 1, 50, {.transfers = 500}),
            [&](AppendOutcome told, std::string const&) { outcome = told; }
        );
    }
    CHECK(outcome == AppendOutcome::committed);
    CHECK(must(look_at_everything(folder.path())) == 50);
}
