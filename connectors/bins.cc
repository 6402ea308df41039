#include "connectors/bins.h"

#include "ledger/base/check.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <fstream>
#include <optional>
#include <sstream>

namespace florin::connectors {
namespace {

constexpr std::string_view kBuiltInCsv =
#include "bins.inc"
    ;

constexpr std::string_view kHeader = "low,high,brand,funding,country";
constexpr std::array<std::string_view, 8> kBrands{
    "unknown", "visa", "mastercard", "amex", "discover", "diners", "jcb", "unionpay"
};
constexpr std::array<std::string_view, 4> kFundings{"unknown", "credit", "debit", "prepaid"};
constexpr std::size_t kDigits = 11;  // of a range's ends, when they are filled up
constexpr std::size_t kRowsMax = 5'000'000;

bool is_digits(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

// The first eleven digits as a number; what is missing is `fill`.
std::uint64_t padded(std::string_view digits, unsigned fill) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < kDigits; ++i) {
        value = value * 10 + (i < digits.size() ? static_cast<unsigned>(digits[i] - '0') : fill);
    }
    return value;
}

template <std::size_t N>
std::optional<std::uint8_t> index_of(
    std::array<std::string_view, N> const& names, std::string_view name
) {
    auto const found = std::ranges::find(names, name);
    if (found == names.end()) {
        return std::nullopt;
    }
    return static_cast<std::uint8_t>(found - names.begin());
}

template <std::size_t N>
std::string list_of(std::array<std::string_view, N> const& names) {
    std::string list;
    for (std::string_view const name : names) {
        list += (list.empty() ? "" : ", ") + std::string{name};
    }
    return list;
}

}  // namespace

// One pass over the lines, then one over the ranges, from the outside to the inside.
class BinTableParser {
public:
    explicit BinTableParser(std::string_view source) : source_{source} {}

    Result<BinTable> parse(std::string_view csv) {
        for (std::size_t begin = 0; begin < csv.size();) {
            std::size_t const end = std::min(csv.find('\n', begin), csv.size());
            std::string_view line = csv.substr(begin, end - begin);
            begin = end + 1;
            ++line_;
            if (line.ends_with('\r')) {
                line.remove_suffix(1);
            }
            if (line_ == 1) {
                if (line != kHeader) {
                    return wrong("the first line must be " + std::string{kHeader});
                }
            } else if (!line.empty()) {
                FLORIN_TRY_VOID(take_line(line));
            }
        }
        if (line_ == 0) {
            return fail(Errc::malformed, source_ + ": the file is empty");
        }
        FLORIN_TRY_VOID(nest());
        return std::move(table_);
    }

private:
    struct Range {
        std::uint64_t low = 0, high = 0;
        std::int32_t row = 0;
        std::size_t line = 0;
    };

    std::unexpected<Error> wrong(std::string const& what) const { return wrong(line_, what); }
    std::unexpected<Error> wrong(std::size_t line, std::string const& what) const {
        return fail(Errc::malformed, source_ + ":" + std::to_string(line) + ": " + what);
    }

    Result<void> take_line(std::string_view line) {
        std::array<std::string_view, 5> cells;
        std::size_t count = 0;
        for (std::size_t begin = 0; begin <= line.size(); ++count) {
            if (count == cells.size()) {
                return wrong("expected five cells");
            }
            std::size_t const end = std::min(line.find(',', begin), line.size());
            cells[count] = line.substr(begin, end - begin);
            begin = end + 1;
        }
        if (count != cells.size()) {
            return wrong("expected five cells");
        }
        auto const [low, high, brand, funding, country] = cells;
        if (low.empty() || low.size() > kDigits || low.size() != high.size() || !is_digits(low) ||
            !is_digits(high)) {
            return wrong("low and high must be 1 to 11 digits, both of one length");
        }
        if (low > high) {
            return wrong("low is above high");
        }
        auto const brand_index = index_of(kBrands, brand);
        if (!brand_index) {
            return wrong("the brand must be one of " + list_of(kBrands));
        }
        auto const funding_index = index_of(kFundings, funding);
        if (!funding_index) {
            return wrong("the funding must be one of " + list_of(kFundings));
        }
        bool const is_country = country.size() == 2 && std::ranges::all_of(country, [](char c) {
                                    return c >= 'A' && c <= 'Z';
                                });
        if (!country.empty() && !is_country) {
            return wrong("the country must be two capital letters or empty");
        }
        if (table_.rows_.size() == kRowsMax) {
            return wrong("more than " + std::to_string(kRowsMax) + " ranges");
        }
        BinTable::Row row{.brand = *brand_index, .funding = *funding_index, .country = {0, 0}};
        std::ranges::copy(country, row.country);
        ranges_.push_back(
            {.low = padded(low, 0),
             .high = padded(high, 9),
             .row = static_cast<std::int32_t>(table_.rows_.size()),
             .line = line_}
        );
        table_.rows_.push_back(row);
        return {};
    }

    void add_segment(std::uint64_t first, std::int32_t row) {
        auto& segments = table_.segments_;
        if (!segments.empty() && segments.back().first == first) {
            segments.back().row = row;
        } else {
            segments.push_back({first, row});
        }
    }

    // Ranges become segments that do not overlap. `open` holds those around the present place, the
    // outermost first.
    Result<void> nest() {
        std::ranges::sort(ranges_, [](Range const& a, Range const& b) {
            return a.low != b.low ? a.low < b.low : a.high > b.high;
        });
        std::vector<Range const*> open;
        auto const close = [&] {
            std::uint64_t const after = open.back()->high + 1;
            open.pop_back();
            add_segment(after, open.empty() ? -1 : open.back()->row);
        };
        add_segment(0, -1);
        for (Range const& range : ranges_) {
            while (!open.empty() && open.back()->high < range.low) {
                close();
            }
            if (!open.empty()) {
                Range const& around = *open.back();
                if (around.low == range.low && around.high == range.high) {
                    return wrong(
                        std::max(range.line, around.line),
                        "the range of line " + std::to_string(std::min(range.line, around.line)) +
                            " again"
                    );
                }
                if (range.high > around.high) {
                    return wrong(
                        range.line,
                        "crosses the range of line " + std::to_string(around.line) +
                            ": one must be inside the other"
                    );
                }
            }
            add_segment(range.low, range.row);
            open.push_back(&range);
        }
        while (!open.empty()) {
            close();
        }
        return {};
    }

    std::string source_;
    std::size_t line_ = 0;
    std::vector<Range> ranges_;
    BinTable table_;
};

Result<BinTable> BinTable::parse(std::string_view csv, std::string_view source) {
    return BinTableParser{source}.parse(csv);
}

Result<BinTable> BinTable::load(std::string const& path) {
    std::ifstream file{path, std::ios::binary};
    std::ostringstream text;
    text << file.rdbuf();
    if (!file || !text) {
        return fail(Errc::io, "cannot read the bin table " + path);
    }
    return parse(text.view(), path);
}

BinTable const& BinTable::built_in() {
    static BinTable const table = [] {
        auto parsed = parse(kBuiltInCsv, "bins.csv");
        FLORIN_CHECK(parsed.has_value(), "the embedded bin table is malformed");
        return std::move(*parsed);
    }();
    return table;
}

CardFacts BinTable::find(Pan const& pan) const {
    auto const digits = pan.reveal().substr(0, kDigits);
    if (digits.empty() || !is_digits(digits)) {
        return {};
    }
    auto const after = std::ranges::upper_bound(segments_, padded(digits, 0), {}, &Segment::first);
    if (after == segments_.begin() || std::prev(after)->row < 0) {
        return {};
    }
    Row const& row = rows_[static_cast<std::size_t>(std::prev(after)->row)];
    return {
        .brand = kBrands[row.brand],
        .funding = kFundings[row.funding],
        .country = row.country[0] == 0 ? std::string{} : std::string{row.country, 2},
    };
}

}  // namespace florin::connectors
