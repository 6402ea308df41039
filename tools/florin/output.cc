#include "tools/florin/output.h"

#include "ledger/base/clock.h"
#include "ledger/base/money.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <unistd.h>

namespace florin::tools {
namespace {

bool is_right(std::string const& heading) {
    return heading.starts_with('>');
}
std::string name_of(std::string const& heading) {
    return is_right(heading) ? heading.substr(1) : heading;
}

// Characters, not bytes: names may hold more than ASCII.
std::size_t width_of(std::string_view text) {
    return static_cast<std::size_t>(std::ranges::count_if(text, [](char c) {
        return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U;
    }));
}

std::string pad(std::string const& text, std::size_t width, bool right) {
    std::string const spaces(width - std::min(width, width_of(text)), ' ');
    return right ? spaces + text : text + spaces;
}

std::string csv_cell(std::string const& text) {
    if (text.find_first_of(",\"\r\n") == std::string::npos) {
        return text;
    }
    std::string quoted = "\"";
    for (char const c : text) {
        quoted += c;
        if (c == '"') {
            quoted += c;
        }
    }
    return quoted + "\"";
}

}  // namespace

void Table::print(Format format) const {
    if (format == Format::json) {
        auto list = nlohmann::ordered_json::array();
        for (auto const& row : rows_) {
            nlohmann::ordered_json object;
            for (std::size_t i = 0; i < headings_.size(); ++i) {
                object[name_of(headings_[i])] = row[i];
            }
            list.push_back(std::move(object));
        }
        fmt::print("{}\n", list.dump(2));
        return;
    }
    if (format == Format::csv) {
        std::vector<std::vector<std::string>> lines{headings_};
        lines.insert(lines.end(), rows_.begin(), rows_.end());
        for (auto const& line : lines) {
            for (std::size_t i = 0; i < line.size(); ++i) {
                bool const is_heading = &line == &lines.front();
                fmt::print(
                    "{}{}", i == 0 ? "" : ",", csv_cell(is_heading ? name_of(line[i]) : line[i])
                );
            }
            fmt::print("\n");
        }
        return;
    }
    std::vector<std::size_t> widths;
    for (std::size_t i = 0; i < headings_.size(); ++i) {
        std::size_t width = width_of(name_of(headings_[i]));
        for (auto const& row : rows_) {
            width = std::max(width, width_of(row[i]));
        }
        widths.push_back(width);
    }
    auto const print_row = [&](auto const& cell) {
        std::string line;
        for (std::size_t i = 0; i < headings_.size(); ++i) {
            line += (i == 0 ? "" : "  ") + pad(cell(i), widths[i], is_right(headings_[i]));
        }
        line.erase(line.find_last_not_of(' ') + 1);
        fmt::print("{}\n", line);
    };
    print_row([&](std::size_t i) { return name_of(headings_[i]); });
    for (auto const& row : rows_) {
        print_row([&](std::size_t i) { return row[i]; });
    }
}

int report_error(Error const& error) {
    fmt::print(stderr, "florin: {}\n", error.context);
    if (error.code == Errc::already_held) {
        fmt::print(
            stderr, "florin: one process writes a directory: stop that one first (SIGTERM)\n"
        );
    }
    return kCouldNotRun;
}

std::string with_separators(std::string_view digits) {
    std::string text;
    for (std::size_t i = 0; i < digits.size(); ++i) {
        if (i > 0 && (digits.size() - i) % 3 == 0) {
            text += ',';
        }
        text += digits[i];
    }
    return text;
}

std::string text_of(nlohmann::ordered_json const& object, char const* name) {
    auto const found = object.find(name);
    if (found == object.end()) {
        return {};
    }
    return found->is_string() ? found->get<std::string>() : found->dump();
}

std::string decimal_of(std::int64_t minor, std::string const& currency) {
    auto const known = Currency::from_alphabetic(currency);
    return known ? decimal_text({minor, *known}) : std::to_string(minor);
}

ProgressBar::ProgressBar(std::string title)
    : title_{std::move(title)}, is_terminal_{::isatty(STDERR_FILENO) == 1} {}

ProgressBar::~ProgressBar() {
    if (drawn_) {
        fmt::print(stderr, "\r\033[K");
    }
}

void ProgressBar::show(std::string_view step, std::uint64_t done, std::uint64_t total) {
    constexpr std::uint64_t kRedrawNs = 100'000'000;
    constexpr int kCells = 30;
    std::uint64_t const now = SystemClock{}.steady_ns();
    if (!is_terminal_ || now - last_ns_ < kRedrawNs) {
        return;
    }
    last_ns_ = now;
    drawn_ = true;
    if (total == 0) {
        fmt::print(stderr, "\r\033[K{} {} {}", title_, step, done);
        return;
    }
    std::uint64_t const bounded = std::min(done, total);
    auto const filled = static_cast<int>(bounded * kCells / total);
    fmt::print(
        stderr,
        "\r\033[K{} [{}{}] {:3}% {}",
        title_,
        std::string(static_cast<std::size_t>(filled), '#'),
        std::string(static_cast<std::size_t>(kCells - filled), '.'),
        bounded * 100 / total,
        step
    );
}

}  // namespace florin::tools
