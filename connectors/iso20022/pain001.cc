#include "connectors/iso20022/pain001.h"

#include "connectors/iso20022/iban.h"
#include "ledger/base/uint128.h"

#include <pugixml.hpp>

#include <algorithm>
#include <chrono>
#include <set>
#include <string_view>

namespace florin::connectors::iso20022 {
namespace {

constexpr char const* kNamespace = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
constexpr std::size_t kIdMax = 35;      // Max35Text
constexpr std::size_t kTextMax = 140;   // Max140Text
constexpr unsigned kDigitsMax = 4;      // of any currency: sums over currencies are kept so
constexpr unsigned kSumDigitsMax = 18;  // DecimalNumber: digits in all

std::unexpected<Error> bad(std::string const& field, std::string const& what, Errc code) {
    return fail(code, field + ": " + what);
}

// How many characters, of text that XML 1.0 can carry and that has no control characters.
// Errc::malformed for other text.
Result<std::size_t> count_characters(std::string const& field, std::string_view text) {
    auto const wrong = [&] {
        return bad(field, "not UTF-8 text without control characters", Errc::malformed);
    };
    std::size_t count = 0;
    for (std::size_t i = 0; i < text.size(); ++count) {
        auto const lead = static_cast<unsigned char>(text[i]);
        std::size_t const length = lead < 0x80                   ? 1
                                   : lead >= 0xc2 && lead < 0xe0 ? 2
                                   : lead >= 0xe0 && lead < 0xf0 ? 3
                                   : lead >= 0xf0 && lead < 0xf5 ? 4
                                                                 : 0;
        if (length == 0 || i + length > text.size()) {
            return wrong();
        }
        std::uint32_t point = length == 1 ? lead : lead & (0x7fU >> length);
        for (std::size_t k = 1; k < length; ++k) {
            auto const next = static_cast<unsigned char>(text[i + k]);
            if ((next & 0xc0U) != 0x80) {
                return wrong();
            }
            point = (point << 6U) | (next & 0x3fU);
        }
        constexpr std::uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
        bool const is_surrogate = point >= 0xd800 && point <= 0xdfff;
        bool const is_control = point < 0x20 || (point >= 0x7f && point < 0xa0);
        if (point < kLeast[length] || point > 0x10ffff || is_surrogate || is_control ||
            point == 0xfffe || point == 0xffff) {
            return wrong();
        }
        i += length;
    }
    return count;
}

Result<void> check_text(std::string const& field, std::string_view text) {
    FLORIN_TRY(auto const count, count_characters(field, text));
    if (count == 0 || count > kTextMax) {
        return bad(field, "1 to 140 characters are allowed", Errc::out_of_range);
    }
    return {};
}

bool is_sepa_latin(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view{"/-?:().,'+ "}.find(c) != std::string_view::npos;
}

Result<void> check_id(std::string const& field, std::string_view id) {
    if (id.empty() || id.size() > kIdMax) {
        return bad(field, "1 to 35 characters are allowed", Errc::out_of_range);
    }
    if (!std::ranges::all_of(id, is_sepa_latin)) {
        return bad(field, "a character outside the SEPA Latin set", Errc::malformed);
    }
    if (id.starts_with('/') || id.ends_with('/') || id.find("//") != std::string_view::npos) {
        return bad(field, "a slash at an end or two in a row", Errc::malformed);
    }
    if (id.starts_with(' ') || id.ends_with(' ')) {
        return bad(field, "a blank at an end", Errc::malformed);
    }
    return {};
}

// `0` a digit, every other character itself.
bool matches(std::string_view text, std::string_view form) {
    return std::ranges::equal(text, form, [](char c, char wanted) {
        return wanted == '0' ? c >= '0' && c <= '9' : c == wanted;
    });
}

int number(std::string_view digits) {
    int value = 0;
    for (char const c : digits) {
        value = value * 10 + (c - '0');
    }
    return value;
}

bool is_date(std::string_view text) {
    return matches(text, "0000-00-00") &&
           std::chrono::year_month_day{
               std::chrono::year{number(text.substr(0, 4))},
               std::chrono::month{static_cast<unsigned>(number(text.substr(5, 2)))},
               std::chrono::day{static_cast<unsigned>(number(text.substr(8, 2)))}
           }.ok();
}

bool is_clock(std::string_view text, std::string_view form) {
    return matches(text, form) && text.substr(0, 2) < "24" && text.substr(3, 2) < "60" &&
           (text.size() < 8 || text.substr(6, 2) < "60");
}

bool is_date_time(std::string_view text) {
    if (text.size() < 19 || text[10] != 'T' || !is_date(text.substr(0, 10)) ||
        !is_clock(text.substr(11, 8), "00:00:00")) {
        return false;
    }
    auto const zone = text.substr(19);
    return zone.empty() || zone == "Z" ||
           ((zone[0] == '+' || zone[0] == '-') && is_clock(zone.substr(1), "00:00"));
}

// UUIDv4Identifier of the schema.
bool is_uetr(std::string_view text) {
    constexpr std::string_view kForm = "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx";
    return std::ranges::equal(text, kForm, [](char c, char wanted) {
        bool const is_hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        return wanted == 'x'   ? is_hex
               : wanted == 'y' ? c == '8' || c == '9' || c == 'a' || c == 'b'
                               : c == wanted;
    });
}

// A sum over amounts of any currency, as the standard defines CtrlSum: of the numbers alone.
class ControlSum {
public:
    void add(Money amount) {
        digits_ = std::max(digits_, amount.currency.digits());
        u128 value = static_cast<u128>(static_cast<std::uint64_t>(amount.minor));
        for (unsigned i = amount.currency.digits(); i < kDigitsMax; ++i) {
            value *= 10;
        }
        // At most 2^63 · 10^4 a transfer: 2^50 of them would not overflow.
        sum_ += value;
    }

    // With as many decimals as the amount that has most.
    Result<std::string> text(std::string const& field) const {
        u128 value = sum_;
        for (unsigned i = digits_; i < kDigitsMax; ++i) {
            value /= 10;
        }
        auto digits = to_string(value);
        if (digits.size() > kSumDigitsMax) {
            return bad(field, "the sum has more than 18 digits", Errc::out_of_range);
        }
        if (digits_ > 0) {
            if (digits.size() <= digits_) {
                digits.insert(0, digits_ + 1 - digits.size(), '0');
            }
            digits.insert(digits.size() - digits_, ".");
        }
        return digits;
    }

private:
    u128 sum_ = 0;
    unsigned digits_ = 0;
};

struct Totals {
    std::size_t count = 0;
    ControlSum sum;
};

// What may be there once only, over the whole message.
struct Names {
    std::set<std::string_view> groups, transfers, uetrs;
};

Result<void> check_transfer(
    std::string const& at, CreditTransfer const& transfer, Currency currency, Names& names
) {
    FLORIN_TRY_VOID(check_id(at + "end_to_end_id", transfer.end_to_end_id));
    if (!transfer.instruction_id.empty()) {
        FLORIN_TRY_VOID(check_id(at + "instruction_id", transfer.instruction_id));
    }
    if (!is_uetr(transfer.uetr)) {
        return bad(at + "uetr", "not a version 4 UUID in lower case", Errc::malformed);
    }
    if (transfer.amount.currency != currency) {
        return bad(
            at + "amount",
            "in " + std::string{transfer.amount.currency.alphabetic()} + " in a group in " +
                std::string{currency.alphabetic()},
            Errc::conflict
        );
    }
    if (transfer.amount.minor <= 0) {
        return bad(at + "amount", "not above zero", Errc::out_of_range);
    }
    if (decimal_text(transfer.amount).size() > kSumDigitsMax + (currency.digits() > 0 ? 1 : 0)) {
        return bad(at + "amount", "more than 18 digits", Errc::out_of_range);
    }
    FLORIN_TRY_VOID(check_text(at + "creditor_name", transfer.creditor_name));
    if (!is_iban(transfer.creditor_iban)) {
        return bad(at + "creditor_iban", "not an IBAN", Errc::malformed);
    }
    if (!transfer.remittance.empty()) {
        FLORIN_TRY_VOID(check_text(at + "remittance", transfer.remittance));
    }
    if (!names.transfers.insert(transfer.end_to_end_id).second) {
        return bad(at + "end_to_end_id", "another transfer has it", Errc::conflict);
    }
    if (!names.uetrs.insert(transfer.uetr).second) {
        return bad(at + "uetr", "another transfer has it", Errc::conflict);
    }
    return {};
}

Result<void> check_group(std::string const& at, CreditTransferGroup const& group, Names& names) {
    FLORIN_TRY_VOID(check_id(at + "payment_information_id", group.payment_information_id));
    if (!names.groups.insert(group.payment_information_id).second) {
        return bad(at + "payment_information_id", "another group has it", Errc::conflict);
    }
    if (!is_date(group.requested_execution_date)) {
        return bad(at + "requested_execution_date", "not a date", Errc::malformed);
    }
    FLORIN_TRY_VOID(check_text(at + "debtor_name", group.debtor_name));
    if (!is_iban(group.debtor_iban)) {
        return bad(at + "debtor_iban", "not an IBAN", Errc::malformed);
    }
    if (group.transfers.empty()) {
        return bad(at + "transfers", "there are none", Errc::malformed);
    }
    return {};
}

void append(pugi::xml_node parent, char const* name, std::string const& text) {
    parent.append_child(name).text().set(text.c_str());
}

void append_account(pugi::xml_node parent, char const* name, std::string const& iban) {
    append(parent.append_child(name).append_child("Id"), "IBAN", iban);
}

void append_transfer(pugi::xml_node group, CreditTransfer const& transfer) {
    auto node = group.append_child("CdtTrfTxInf");
    auto id = node.append_child("PmtId");
    if (!transfer.instruction_id.empty()) {
        append(id, "InstrId", transfer.instruction_id);
    }
    append(id, "EndToEndId", transfer.end_to_end_id);
    append(id, "UETR", transfer.uetr);
    auto amount = node.append_child("Amt").append_child("InstdAmt");
    auto const currency = std::string{transfer.amount.currency.alphabetic()};
    amount.append_attribute("Ccy").set_value(currency.c_str());
    amount.text().set(decimal_text(transfer.amount).c_str());
    append(node.append_child("Cdtr"), "Nm", transfer.creditor_name);
    append_account(node, "CdtrAcct", transfer.creditor_iban);
    if (!transfer.remittance.empty()) {
        append(node.append_child("RmtInf"), "Ustrd", transfer.remittance);
    }
}

Result<Totals> append_group(
    pugi::xml_node parent, std::string const& at, CreditTransferGroup const& group, Names& names
) {
    FLORIN_TRY_VOID(check_group(at, group, names));
    Totals totals{.count = group.transfers.size(), .sum = {}};
    for (std::size_t i = 0; i < group.transfers.size(); ++i) {
        auto const& transfer = group.transfers[i];
        FLORIN_TRY_VOID(check_transfer(
            at + "transfers[" + std::to_string(i) + "].", transfer, group.currency, names
        ));
        totals.sum.add(transfer.amount);
    }
    FLORIN_TRY(auto const sum, totals.sum.text(at + "transfers"));
    auto node = parent.append_child("PmtInf");
    append(node, "PmtInfId", group.payment_information_id);
    append(node, "PmtMtd", "TRF");
    append(node, "NbOfTxs", std::to_string(totals.count));
    append(node, "CtrlSum", sum);
    append(node.append_child("ReqdExctnDt"), "Dt", group.requested_execution_date);
    append(node.append_child("Dbtr"), "Nm", group.debtor_name);
    append_account(node, "DbtrAcct", group.debtor_iban);
    append(node.child("DbtrAcct"), "Ccy", std::string{group.currency.alphabetic()});
    // The schema wants an agent; the IBAN already names the bank.
    append(
        node.append_child("DbtrAgt").append_child("FinInstnId").append_child("Othr"),
        "Id",
        "NOTPROVIDED"
    );
    append(node, "ChrgBr", "SLEV");
    for (auto const& transfer : group.transfers) {
        append_transfer(node, transfer);
    }
    return totals;
}

class StringWriter final : public pugi::xml_writer {
public:
    void write(void const* data, std::size_t size) override {
        text.append(static_cast<char const*>(data), size);
    }
    std::string text;
};

}  // namespace

Result<std::string> write_pain001(CreditTransferInitiation const& initiation) {
    FLORIN_TRY_VOID(check_id("message_id", initiation.message_id));
    if (!is_date_time(initiation.created)) {
        return bad("created", "not an ISO date and time", Errc::malformed);
    }
    FLORIN_TRY_VOID(check_text("initiating_party", initiation.initiating_party));
    if (initiation.groups.empty()) {
        return bad("groups", "there are none", Errc::malformed);
    }
    pugi::xml_document document;
    auto declaration = document.append_child(pugi::node_declaration);
    declaration.append_attribute("version").set_value("1.0");
    declaration.append_attribute("encoding").set_value("UTF-8");
    auto root = document.append_child("Document");
    root.append_attribute("xmlns").set_value(kNamespace);
    auto body = root.append_child("CstmrCdtTrfInitn");
    auto head = body.append_child("GrpHdr");
    Names names;
    std::size_t count = 0;
    ControlSum sum;
    for (std::size_t i = 0; i < initiation.groups.size(); ++i) {
        auto const& group = initiation.groups[i];
        FLORIN_TRY(
            auto const totals,
            append_group(body, "groups[" + std::to_string(i) + "].", group, names)
        );
        count += totals.count;
        for (auto const& transfer : group.transfers) {
            sum.add(transfer.amount);
        }
    }
    FLORIN_TRY(auto const sum_text, sum.text("groups"));
    append(head, "MsgId", initiation.message_id);
    append(head, "CreDtTm", initiation.created);
    append(head, "NbOfTxs", std::to_string(count));
    append(head, "CtrlSum", sum_text);
    append(head.append_child("InitgPty"), "Nm", initiation.initiating_party);
    StringWriter writer;
    document.save(writer, "  ", pugi::format_indent, pugi::encoding_utf8);
    return std::move(writer.text);
}

}  // namespace florin::connectors::iso20022
