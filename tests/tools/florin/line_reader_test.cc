#include "tools/florin/line_reader.h"

#include <doctest/doctest.h>

#include <thread>
#include <unistd.h>
#include <vector>

using namespace florin;
using namespace florin::tools;

namespace {

struct Pipe {
    int ends[2] = {-1, -1};
    Pipe() { REQUIRE(::pipe(ends) == 0); }
    ~Pipe() {
        close_writer();
        ::close(ends[0]);
    }
    void close_writer() {
        if (ends[1] >= 0) {
            ::close(ends[1]);
            ends[1] = -1;
        }
    }
};

// Reads what a writer of its own pushes through a pipe, in pieces of `piece` bytes.
std::vector<std::string> lines_of(std::string const& text, std::size_t max, std::size_t piece) {
    Pipe pipe;
    std::thread writer{[&] {
        for (std::size_t at = 0; at < text.size(); at += piece) {
            std::size_t const length = std::min(piece, text.size() - at);
            CHECK(::write(pipe.ends[1], text.data() + at, length) == static_cast<long>(length));
        }
        pipe.close_writer();
    }};
    std::vector<std::string> lines;
    LineReader reader{pipe.ends[0], max};
    std::uint64_t number = 0;
    for (;;) {
        auto const line = reader.next();
        REQUIRE(line);
        if (!*line) {
            break;
        }
        CHECK((*line)->number == ++number);
        lines.emplace_back((*line)->is_too_long ? "<too long>" : (*line)->text);
    }
    CHECK_FALSE(reader.next()->has_value());
    writer.join();
    return lines;
}

}  // namespace

TEST_CASE("lines come out as they went in, however the bytes arrive") {
    using Lines = std::vector<std::string>;
    for (std::size_t const piece : {std::size_t{1}, std::size_t{3}, std::size_t{1000}}) {
        CHECK(lines_of("", 5, piece).empty());
        CHECK(lines_of("\n", 5, piece) == Lines{""});
        CHECK(lines_of("a\n\nbc", 5, piece) == Lines{"a", "", "bc"});
        CHECK(lines_of("a\n\nbc\n", 5, piece) == Lines{"a", "", "bc"});
        CHECK(lines_of("12345\n123456\n1\n", 5, piece) == Lines{"12345", "<too long>", "1"});
        CHECK(lines_of("1\n1234567890123", 5, piece) == Lines{"1", "<too long>"});
        CHECK(lines_of(std::string{"a\0b\r\n", 5}, 5, piece) == Lines{std::string{"a\0b\r", 4}});
    }
}

TEST_CASE("a line of many megabytes is skipped, and what follows is read") {
    std::string const text = "1\n" + std::string(5'000'000, 'x') + "\n2\n" +
                             std::string(2'500'000, 'y') + "\n" + std::string(4'000'000, 'z');
    auto const lines = lines_of(text, 2'500'000, 65536);
    REQUIRE(lines.size() == 5);
    CHECK(lines[0] == "1");
    CHECK(lines[1] == "<too long>");
    CHECK(lines[2] == "2");
    CHECK(lines[3] == std::string(2'500'000, 'y'));
    CHECK(lines[4] == "<too long>");
}

TEST_CASE("stop ends a wait for input") {
    Pipe pipe;
    REQUIRE(::write(pipe.ends[1], "part", 4) == 4);
    LineReader reader{pipe.ends[0], 100};
    std::thread stopper{[&] { reader.stop(); }};
    auto const line = reader.next();
    stopper.join();
    REQUIRE(line);
    CHECK_FALSE(line->has_value());
}
