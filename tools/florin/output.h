// What the operator's tool prints: tables for people, JSON or CSV for machines, progress on a
// terminal, and errors that name the thing. Thread rule: one thread.
#pragma once

#include "ledger/base/result.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace florin::tools {

// Exit codes of every command.
inline constexpr int kDone = 0;
inline constexpr int kFoundSomething = 1;  // breaks, a failed verify
inline constexpr int kCouldNotRun = 2;     // wrong use, or the world failed

enum class Format { table, json, csv };

// Rows of text under headings. Columns whose heading starts with '>' are aligned to the right.
class Table {
public:
    explicit Table(std::vector<std::string> headings) : headings_{std::move(headings)} {}
    void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    // A table is aligned; json is one list of objects; csv is RFC 4180 with a heading line.
    void print(Format format) const;

private:
    std::vector<std::string> headings_;
    std::vector<std::vector<std::string>> rows_;
};

// "florin: …" on standard error; answers kCouldNotRun.
int report_error(Error const& error);

// 1234567 -> "1,234,567"
std::string with_separators(std::string_view digits);

// A member of a JSON object as text; empty where it is missing.
std::string text_of(nlohmann::ordered_json const& object, char const* name);
// 4500 and "EUR" -> "45.00"; of an unknown currency: the number as it is.
std::string decimal_of(std::int64_t minor, std::string const& currency);

// One line that is drawn again and again; nothing where standard error is not a terminal.
class ProgressBar {
public:
    explicit ProgressBar(std::string title);
    ProgressBar(ProgressBar const&) = delete;
    ProgressBar& operator=(ProgressBar const&) = delete;
    ~ProgressBar();
    void show(std::string_view step, std::uint64_t done, std::uint64_t total);

private:
    std::string title_;
    bool is_terminal_;
    bool drawn_ = false;
    std::uint64_t last_ns_ = 0;
};

}  // namespace florin::tools
