#include "daemon/settlement/outbox.h"

#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <fstream>
#include <iterator>
#include <sys/stat.h>

using namespace florin;
using settlement::Outbox;

namespace {

namespace fs = std::filesystem;

std::string bytes_of(fs::path const& path) {
    std::ifstream in{path, std::ios::binary};
    return {std::istreambuf_iterator<char>{in}, {}};
}

}  // namespace

TEST_CASE("the private file is whole, and only its owner may read it") {
    test::TempDir const folder;
    Outbox const outbox{folder.path() / "outbox", "boot-1"};
    REQUIRE(outbox.write("a.xml", "first").has_value());
    REQUIRE(outbox.write("a.xml", "second, longer").has_value());
    fs::path const part = folder.path() / "outbox" / ".a.xml.part";
    CHECK(bytes_of(part) == "second, longer");
    struct stat status{};
    REQUIRE(::stat(part.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
}

TEST_CASE("a file of that name is never replaced") {
    test::TempDir const folder;
    Outbox const outbox{folder.path(), "boot-1"};
    REQUIRE(outbox.write("a.xml", "ours").has_value());
    std::ofstream{folder.path() / "a.xml"} << "somebody else's";
    auto const handed = outbox.hand_over("a.xml");
    REQUIRE_FALSE(handed.has_value());
    CHECK(handed.error().code == Errc::conflict);
    CHECK(bytes_of(folder.path() / "a.xml") == "somebody else's");
    CHECK(outbox.hand_over("b.xml").error().code == Errc::not_found);
}

TEST_CASE("what the folder proves of a file that was about to go") {
    test::TempDir const folder;
    Outbox const outbox{folder.path(), "boot-1"};
    Outbox const after_reboot{folder.path(), "boot-2"};
    REQUIRE(outbox.write("a.xml", "payouts").has_value());
    CHECK(outbox.state_of("a.xml", "boot-1") == Outbox::State::not_submitted);
    // The rename may have happened, been collected, and been lost with the power.
    CHECK(after_reboot.state_of("a.xml", "boot-1") == Outbox::State::unknown);

    REQUIRE(outbox.hand_over("a.xml").has_value());
    CHECK(outbox.state_of("a.xml", "boot-1") == Outbox::State::submitted);
    CHECK(after_reboot.state_of("a.xml", "boot-1") == Outbox::State::submitted);

    fs::remove(folder.path() / "a.xml");  // the bank's collector took it
    CHECK(outbox.state_of("a.xml", "boot-1") == Outbox::State::submitted);
    CHECK(after_reboot.state_of("a.xml", "boot-1") == Outbox::State::unknown);
}
