#include "tools/florin/byte_output.h"

#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

using namespace florin;
using namespace florin::tools;

namespace {

std::string content(std::filesystem::path const& file) {
    std::ostringstream text;
    text << std::ifstream{file}.rdbuf();
    return text.str();
}

auto files_in(std::filesystem::path const& folder) {
    return std::distance(std::filesystem::directory_iterator{folder}, {});
}

}  // namespace

TEST_CASE("a file appears when it is finished, in one step") {
    test::TempDir const folder;
    auto const file = folder.path() / "books";
    std::ofstream{file} << "before";
    std::string const text(3'000'000, 'x');
    {
        auto output = ByteOutput::file(file);
        REQUIRE(output);
        for (std::size_t at = 0; at < text.size(); at += 1000) {
            output->buffer().append(text, at, 1000);
            REQUIRE(output->write_full());
        }
        CHECK(content(file) == "before");
        REQUIRE(output->finish());
    }
    CHECK(content(file) == text);
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("of a file that is not finished nothing is left") {
    test::TempDir const folder;
    auto const file = folder.path() / "books";
    std::ofstream{file} << "before";
    {
        auto output = ByteOutput::file(file);
        REQUIRE(output);
        output->buffer() = "half";
        REQUIRE(output->flush());
        CHECK(files_in(folder.path()) == 2);
        ByteOutput const moved{std::move(*output)};
    }
    CHECK(content(file) == "before");
    CHECK(files_in(folder.path()) == 1);
}

TEST_CASE("a file that cannot be made is an error with its name") {
    test::TempDir const folder;
    auto const output = ByteOutput::file(folder.path() / "none" / "books");
    REQUIRE_FALSE(output);
    CHECK(output.error().code == Errc::io);
    CHECK(output.error().context.starts_with((folder.path() / "none" / "books").string()));
}
