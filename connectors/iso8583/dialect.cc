#include "connectors/iso8583/dialect.h"

#include "ledger/base/calendar.h"

#include <array>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace florin::connectors::iso8583 {
namespace {

int number_of(std::string_view digits) {
    int value = -1;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
}

// Field 39 or field 25 says why; whoever gave up first, the answer is what was missing.
bool is_wanted(ReversalReason reason) {
    switch (reason) {
        case ReversalReason::cancelled: return true;
        case ReversalReason::no_answer:
        case ReversalReason::late_approval: break;
    }
    return false;
}

using NetworkCodes = std::array<std::pair<NetworkCode, std::string_view>, 4>;

std::string_view text_of(NetworkCodes const& codes, NetworkCode code) {
    for (auto const& [known, text] : codes) {
        if (known == code) {
            return text;
        }
    }
    return {};
}

std::optional<NetworkCode> code_of(NetworkCodes const& codes, std::string_view text) {
    for (auto const& [code, known] : codes) {
        if (known == text) {
            return code;
        }
    }
    return std::nullopt;
}

class Dialect1987 final : public Dialect {
public:
    // Field 70.
    static constexpr NetworkCodes kNetworkCodes{{
        {NetworkCode::sign_on, "001"},
        {NetworkCode::sign_off, "002"},
        {NetworkCode::key_exchange, "101"},
        {NetworkCode::echo, "301"},
    }};
    static constexpr std::string_view kMailOrTelephone = "08";  // field 25
    static constexpr int kSettlementDate = 15;
    static constexpr int kSettlementCode = 66;

    Message network_request(NetworkCode code, std::string_view transmission_time, std::int64_t)
        const override {
        Message request{"0800"};
        request.set(7, transmission_time);
        request.set(70, text_of(kNetworkCodes, code));
        return request;
    }
    std::optional<NetworkCode> network_code(Message const& message) const override {
        return code_of(kNetworkCodes, message.get(70));
    }
    std::string_view network_answer(bool is_accepted) const override {
        return is_accepted ? "00" : "12";
    }
    int matching_time_field() const override { return 7; }
    std::string_view request_time(Message const& answer) const override { return answer.get(7); }
    void set_local_time(Message& message, std::string_view transmission_time, std::int64_t)
        const override {
        message.set(12, transmission_time.substr(4));
        message.set(13, transmission_time.substr(0, 4));
    }
    void set_category(Message& message, std::string_view category_code) const override {
        message.set(18, category_code);
    }
    void set_point_of_service(Message& message, PointOfService const& where) const override {
        message.set(22, where.entry_mode);
        message.set(
            25,
            where.is_mail_or_telephone ? kMailOrTelephone : std::string_view{where.condition_code}
        );
    }
    void set_function(Message&) const override {}
    Result<void> set_capture(Message&, Money, std::optional<Money>) const override { return {}; }
    Result<void> set_reversal(
        Message& message, ReversalReason reason, std::optional<Money> remaining
    ) const override {
        message.set(39, is_wanted(reason) ? "17" : "68");
        if (remaining) {
            // Actual amounts of transaction and settlement (12 digits each), then the fees.
            Message amount;
            FLORIN_TRY_VOID(amount.set_amount(*remaining));
            message.set(95, std::string{amount.get(4)} + "000000000000C00000000C00000000");
        }
        return {};
    }
    void set_original(Message& message, OriginalData original, std::int64_t) const override {
        message.set(90, original_data_text(original));
    }
    void set_totals(Message& message, std::string_view date, std::string_view, std::int64_t)
        const override {
        message.set(kSettlementDate, date_text(date));
    }
    std::string_view totals_date(Message const& message) const override {
        return message.get(kSettlementDate);
    }
    std::string date_text(std::string_view date) const override {
        return std::string{date.substr(5, 2)} + std::string{date.substr(8, 2)};
    }
    // Field 66: 1 in balance, 2 out of balance, 3 error. An answer without it may have a field 39,
    // of which 95 is "reconcile error".
    BalanceClaim balance_claim(Message const& answer) const override {
        auto const code = answer.get(kSettlementCode);
        auto const response = answer.get(39);
        if (code == "1") {
            return BalanceClaim::in_balance;
        }
        if (code == "2" || (code.empty() && response == "95")) {
            return BalanceClaim::out_of_balance;
        }
        bool const is_taken = code.empty() && (response.empty() || response == "00");
        return is_taken ? BalanceClaim::none : BalanceClaim::refused;
    }
    std::string_view balance_code(Message const& answer) const override {
        return answer.has(kSettlementCode) ? answer.get(kSettlementCode) : answer.get(39);
    }
    // What was reversed in part, or with conditions, is not reversed.
    bool approves(std::string_view wire_mti, std::string_view code) const override {
        return code.size() == 2 && (!wire_mti.starts_with("04") || code == "00");
    }

private:
    char version_digit() const override { return '0'; }
};

class Dialect1993 final : public Dialect {
public:
    // Field 24.
    static constexpr NetworkCodes kNetworkCodes{{
        {NetworkCode::sign_on, "801"},
        {NetworkCode::sign_off, "802"},
        {NetworkCode::key_exchange, "811"},
        {NetworkCode::echo, "831"},
    }};
    static constexpr int kReconciliationDate = 28;

    Message network_request(
        NetworkCode code, std::string_view transmission_time, std::int64_t now_s
    ) const override {
        Message request{"1804"};
        request.set(7, transmission_time);
        set_local_time(request, transmission_time, now_s);
        request.set(24, text_of(kNetworkCodes, code));
        return request;
    }
    std::optional<NetworkCode> network_code(Message const& message) const override {
        return code_of(kNetworkCodes, message.get(24));
    }
    std::string_view network_answer(bool is_accepted) const override {
        return is_accepted ? "800" : "902";
    }
    int matching_time_field() const override { return 12; }
    // Requests say the time of transmission as the local one; the year is before it.
    std::string_view request_time(Message const& answer) const override {
        auto const time = answer.get(12);
        return time.size() == 12 ? time.substr(2) : std::string_view{};
    }
    void set_local_time(Message& message, std::string_view transmission_time, std::int64_t now_s)
        const override {
        message.set(12, year_near(transmission_time, now_s) + std::string{transmission_time});
    }
    void set_category(Message& message, std::string_view category_code) const override {
        message.set(26, category_code);
    }
    // Position 5 says where the cardholder is; 2 is mail order.
    void set_point_of_service(Message& message, PointOfService const& where) const override {
        constexpr std::size_t kCardholderPresent = 4;
        auto code = where.data_code;
        if (where.is_mail_or_telephone && code.size() > kCardholderPresent) {
            code[kCardholderPresent] = '2';
        }
        message.set(22, code);
    }
    // 100: an original authorisation, 200: an original financial message.
    void set_function(Message& message) const override {
        message.set(24, message.mti().starts_with("11") ? "100" : "200");
    }
    // 201: approved before, the same amount. 202: another one, and field 30 says which was
    // approved.
    Result<void> set_capture(Message& message, Money amount, std::optional<Money> approved)
        const override {
        if (!approved || *approved == amount) {
            message.set(24, "201");
            return {};
        }
        message.set(24, "202");
        return set_original_amount(message, *approved);
    }
    Result<void> set_reversal(
        Message& message, ReversalReason reason, std::optional<Money> remaining
    ) const override {
        message.set(24, remaining ? "401" : "400");
        message.set(25, is_wanted(reason) ? "4000" : "4021");
        if (remaining) {
            FLORIN_TRY(auto const original, message.amount());
            FLORIN_TRY_VOID(set_original_amount(message, original));
            FLORIN_TRY_VOID(message.set_amount(*remaining));
        }
        return {};
    }
    void set_original(Message& message, OriginalData original, std::int64_t now_s) const override {
        original.mti = wire_mti(original.mti);
        original.transmission_time =
            year_near(original.transmission_time, now_s) + original.transmission_time;
        message.set(56, original_data_text_1993(original));
    }
    // 502: final reconciliation in a specified currency.
    void set_totals(
        Message& message,
        std::string_view date,
        std::string_view transmission_time,
        std::int64_t now_s
    ) const override {
        set_local_time(message, transmission_time, now_s);
        message.set(24, "502");
        message.set(kReconciliationDate, date_text(date));
    }
    std::string_view totals_date(Message const& message) const override {
        return message.get(kReconciliationDate);
    }
    std::string date_text(std::string_view date) const override {
        return std::string{date.substr(2, 2)} + std::string{date.substr(5, 2)} +
               std::string{date.substr(8, 2)};
    }
    // 500 and 501: in and out of balance; 502 and 504: here are our totals; 503: there are none.
    // An advice may also be acknowledged, with 900 or 901.
    BalanceClaim balance_claim(Message const& answer) const override {
        auto const code = answer.get(39);
        if (code == "500") {
            return BalanceClaim::in_balance;
        }
        if (code == "501") {
            return BalanceClaim::out_of_balance;
        }
        bool const is_acknowledged =
            answer.mti().starts_with("153") && (code == "900" || code == "901");
        return code == "502" || code == "504" || is_acknowledged ? BalanceClaim::none
                                                                 : BalanceClaim::refused;
    }
    std::string_view balance_code(Message const& answer) const override { return answer.get(39); }
    bool approves(std::string_view wire_mti, std::string_view code) const override {
        constexpr std::string_view kReversed = "400";
        if (code.size() != 3) {
            return false;
        }
        bool const is_reversal = wire_mti.starts_with("14");
        // 9xx acknowledge an advice; a request wants an answer.
        bool const is_for_advices = code.starts_with('9');
        bool const is_of_advice = wire_mti.size() == 4 && wire_mti[2] == '3';
        return is_reversal ? code == kReversed
                           : code != kReversed && (!is_for_advices || is_of_advice);
    }

private:
    char version_digit() const override { return '1'; }

    // Transaction amount, then that of reconciliation, which nobody here knows.
    static Result<void> set_original_amount(Message& message, Money original) {
        Message amount;
        FLORIN_TRY_VOID(amount.set_amount(original));
        message.set(30, std::string{amount.get(4)} + "000000000000");
        return {};
    }
};

}  // namespace

std::string Dialect::wire_mti(std::string_view plain) const {
    std::string mti{plain};
    if (!mti.empty()) {
        mti[0] = version_digit();
    }
    return mti;
}

std::string Dialect::plain_mti(std::string_view wire) const {
    std::string mti{wire};
    if (!mti.empty()) {
        mti[0] = '0';
    }
    return mti;
}

bool Dialect::is_mine(std::string_view wire) const {
    return !wire.empty() && wire[0] == version_digit();
}

Dialect const& dialect_of(Packaging const& packaging) {
    static Dialect1987 const of_1987;
    static Dialect1993 const of_1993;
    if (packaging.version == "1993") {
        return of_1993;
    }
    return of_1987;
}

std::string year_near(std::string_view transmission_time, std::int64_t now_s) {
    constexpr std::string_view kNoSuchDay = "00";
    if (transmission_time.size() != 10) {
        return std::string{kNoSuchDay};
    }
    std::array<int, 5> parts{};
    for (std::size_t i = 0; i < parts.size(); ++i) {
        parts[i] = number_of(transmission_time.substr(i * 2, 2));
    }
    int const this_year = utc_of(now_s).tm_year;
    std::int64_t best_distance = 0;
    int best = -1;
    for (int year = this_year - 1; year <= this_year + 1; ++year) {
        std::tm moment{};
        moment.tm_year = year;
        moment.tm_mon = parts[0] - 1;
        moment.tm_mday = parts[1];
        moment.tm_hour = parts[2];
        moment.tm_min = parts[3];
        moment.tm_sec = parts[4];
        auto const seconds = static_cast<std::int64_t>(timegm(&moment));
        // timegm makes the 1st of March of a 29th of February that is not there.
        if (moment.tm_mon != parts[0] - 1 || moment.tm_mday != parts[1]) {
            continue;
        }
        auto const distance = std::abs(seconds - now_s);
        if (best < 0 || distance < best_distance) {
            best = year;
            best_distance = distance;
        }
    }
    if (best < 0) {
        return std::string{kNoSuchDay};
    }
    auto const digits = std::to_string(100 + best % 100);
    return digits.substr(1);
}

}  // namespace florin::connectors::iso8583
