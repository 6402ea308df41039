// The data directory: created whole, recognised, locked, and never taken for another's folder.
#include "ledger/store/data_dir.h"

#include "tests/ledger/support.h"

using namespace florin;
using namespace florin::ledger;
using namespace florin::ledger::test;

namespace {

using Access = DataDirectory::Access;

}  // namespace

TEST_CASE("an absent directory is created, with those above it, for its owner alone") {
    TemporaryFolder folder;
    fs::path const path = folder / "a/b/data";
    DataDirectory const data = must(DataDirectory::open(path, Access::exclusive, true));
    CHECK(bytes_of_file(path / "FORMAT") == "florin data directory, format 2\n");
    CHECK(bytes_of_file(path / "LOCK") == std::to_string(::getpid()) + "\n");
    CHECK(fs::is_directory(path / "ledger"));
    CHECK_FALSE(fs::exists(path / "FORMAT.new"));
    CHECK(
        (fs::status(path).permissions() & (fs::perms::group_all | fs::perms::others_all)) ==
        fs::perms::none
    );
    CHECK(data.log() == path / "ledger" / "log");
    CHECK(data.state() == path / "ledger" / "state");
    CHECK(data.witness() == path / "ledger" / "HEAD");
}

TEST_CASE("an empty directory is created in, a relative path and a trailing slash are paths") {
    TemporaryFolder folder;
    must(DataDirectory::open(folder.path(), Access::exclusive, true));
    fs::path const slash = (folder / "slash").string() + "/";
    must(DataDirectory::open(slash, Access::exclusive, true));
    CHECK(fs::exists(folder / "slash/FORMAT"));
    fs::path const before = fs::current_path();
    fs::current_path(folder.path());
    auto const relative = DataDirectory::open("here", Access::exclusive, true);
    fs::current_path(before);
    REQUIRE(relative.has_value());
    CHECK(fs::exists(folder / "here/FORMAT"));
}

TEST_CASE("where nothing may be created, nothing is") {
    TemporaryFolder folder;
    for (auto const access : {Access::exclusive, Access::read_only}) {
        CHECK(
            refused(DataDirectory::open(folder / "absent", access, false)).code == Errc::not_found
        );
        CHECK(refused(DataDirectory::open(folder.path(), access, false)).code == Errc::not_found);
    }
    CHECK(
        refused(DataDirectory::open(folder.path(), Access::read_only, true)).code == Errc::not_found
    );
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a folder that holds something else is refused and stays as it is") {
    TemporaryFolder folder;
    write_file(folder / "thesis.txt", "years of work");
    for (auto const access : {Access::exclusive, Access::read_only}) {
        Error const error = refused(DataDirectory::open(folder.path(), access, true));
        CHECK(error.code == Errc::malformed);
        CHECK(mentions(error, folder.path().string()));
    }
    CHECK(bytes_of_tree(folder.path()).size() == 1);
    CHECK(
        refused(DataDirectory::open(folder / "thesis.txt", Access::exclusive, true)).code ==
        Errc::malformed
    );
}

TEST_CASE("a creation that was interrupted is finished the next time") {
    TemporaryFolder folder;
    write_file(folder / "LOCK", "");
    write_file(folder / "FORMAT.new", "florin da");
    fs::create_directory(folder / "ledger");
    must(DataDirectory::open(folder.path(), Access::exclusive, true));
    CHECK(bytes_of_file(folder / "FORMAT") == "florin data directory, format 2\n");
}

TEST_CASE("another format is unsupported: the file, what it says and what was expected are named") {
    TemporaryFolder folder;
    write_file(folder / "FORMAT", "florin data directory, format 3\n");
    for (auto const access : {Access::exclusive, Access::read_only}) {
        Error const error = refused(DataDirectory::open(folder.path(), access, true));
        CHECK(error.code == Errc::unsupported);
        CHECK(mentions(error, (folder / "FORMAT").string()));
        CHECK(mentions(error, "format 3"));
        CHECK(mentions(error, "expected format 2"));
    }
    CHECK(bytes_of_file(folder / "FORMAT") == "florin data directory, format 3\n");
}

TEST_CASE("a FORMAT file that says anything else is malformed") {
    TemporaryFolder folder;
    for (auto const* text :
         {"", "florin\n", "florin data directory, format 2", "florin data directory, format 2\nmore"
         }) {
        CAPTURE(text);
        write_file(folder / "FORMAT", text);
        Errc const code = refused(DataDirectory::open(folder.path(), Access::exclusive, true)).code;
        CHECK((code == Errc::malformed || code == Errc::unsupported));
    }
}

TEST_CASE("a directory that another process holds is refused, naming the pid and the directory") {
    TemporaryFolder folder;
    Child child{{"hold", folder.path().string()}};
    REQUIRE(child.line() == "held");
    for (auto const access : {Access::exclusive, Access::read_only}) {
        Error const error = refused(DataDirectory::open(folder.path(), access, true));
        CHECK(error.code == Errc::already_held);
        CHECK(mentions(error, "process " + std::to_string(child.pid())));
        CHECK(mentions(error, folder.path().string()));
    }
    CHECK(must(DataDirectory::holder(folder.path())) == child.pid());
    child.kill();
    CHECK(must(DataDirectory::holder(folder.path())) == 0);
    must(DataDirectory::open(folder.path(), Access::exclusive, false));
}

TEST_CASE("the lock goes with the object, and moves with it") {
    TemporaryFolder folder;
    {
        DataDirectory first = must(DataDirectory::open(folder.path(), Access::exclusive, true));
        DataDirectory const second = std::move(first);
        CHECK(
            refused(DataDirectory::open(folder.path(), Access::exclusive, true)).code ==
            Errc::already_held
        );
        CHECK(must(DataDirectory::holder(folder.path())) == ::getpid());
    }
    CHECK(must(DataDirectory::holder(folder.path())) == 0);
    CHECK(bytes_of_file(folder / "LOCK").empty());
    must(DataDirectory::open(folder.path(), Access::exclusive, true));
}

TEST_CASE("several may read at once; nobody writes meanwhile, and nothing is changed by reading") {
    TemporaryFolder folder;
    must(DataDirectory::open(folder.path(), Access::exclusive, true));
    auto const before = bytes_of_tree(folder.path());
    {
        DataDirectory const one =
            must(DataDirectory::open(folder.path(), Access::read_only, false));
        DataDirectory const two =
            must(DataDirectory::open(folder.path(), Access::read_only, false));
        Error const error = refused(DataDirectory::open(folder.path(), Access::exclusive, false));
        CHECK(error.code == Errc::already_held);
        CHECK(mentions(error, "a process that reads it"));
        CHECK(must(DataDirectory::holder(folder.path())) == 0);
    }
    CHECK(bytes_of_tree(folder.path()) == before);
    must(DataDirectory::open(folder.path(), Access::exclusive, false));
}

TEST_CASE("a directory without a LOCK file, as a copy may be, can be read") {
    TemporaryFolder folder;
    must(DataDirectory::open(folder.path(), Access::exclusive, true));
    fs::remove(folder / "LOCK");
    must(DataDirectory::open(folder.path(), Access::read_only, false));
    CHECK_FALSE(fs::exists(folder / "LOCK"));
    CHECK(must(DataDirectory::holder(folder.path())) == 0);
}
