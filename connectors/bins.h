// What the first digits of a card number say: brand, funding, country of the issuer.
//
//   file := header line…                   lines end with LF or CR LF; empty ones are skipped
//   header := "low,high,brand,funding,country"
//   line := low "," high "," brand "," funding "," country
//   low, high := 1 to 11 digits, both of one length: numbers whose first digits are in between
//   brand := visa | mastercard | amex | discover | diners | jcb | unionpay | unknown
//   funding := credit | debit | prepaid | unknown
//   country := two capital letters (ISO 3166-1) or empty: not known
//
// The narrowest range that holds a number wins, so that a bank's own range stands inside its
// network's (ISO/IEC 7812-1: the issuer identification number). Ranges that cross are refused.
// conf/bins.csv is embedded and the default; networks and bin list providers sell complete ones.
// Thread rule: built once, then read by any thread.
#pragma once

#include "ledger/base/result.h"
#include "ledger/base/secret.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace florin::connectors {

struct CardFacts {
    std::string_view brand = "unknown";
    std::string_view funding = "unknown";
    std::string country;  // empty: not known
};

class BinTable {
public:
    // Errc::malformed names the line of `source`: "bins.csv:12: …".
    static Result<BinTable> parse(std::string_view csv, std::string_view source);
    // Errc::io where the file cannot be read.
    static Result<BinTable> load(std::string const& path);
    // conf/bins.csv as it was when Florin was built.
    static BinTable const& built_in();

    // "unknown" where no range holds the number.
    CardFacts find(Pan const& pan) const;
    std::size_t ranges() const { return rows_.size(); }

private:
    friend class BinTableParser;

    struct Row {
        std::uint8_t brand = 0;
        std::uint8_t funding = 0;
        char country[2] = {0, 0};
    };
    // From `first` (eleven digits) on, up to the next segment, this row counts; -1: none does.
    struct Segment {
        std::uint64_t first = 0;
        std::int32_t row = -1;
    };
    std::vector<Row> rows_;
    std::vector<Segment> segments_;  // ascending; the first begins at 0
};

}  // namespace florin::connectors
