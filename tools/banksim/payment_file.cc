#include "tools/banksim/payment_file.h"

#include "ledger/base/uint128.h"

#include <pugixml.hpp>

#include <algorithm>
#include <optional>
#include <set>

namespace florin::banksim {
namespace {

constexpr std::size_t kFileBytesMax = std::size_t{16} << 20U;
constexpr std::string_view kNamespace = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09";
constexpr unsigned kScale = 5;  // decimals in which sums are compared; no currency has more

// A decimal number as an integer of 10^-5; nullopt for what is none, or has more than 18 digits.
std::optional<u128> scaled(std::string_view text) {
    auto const point = text.find('.');
    auto const whole = text.substr(0, point);
    auto decimals = point == std::string_view::npos ? "" : text.substr(point + 1);
    bool const has_empty_part =
        whole.empty() || (point != std::string_view::npos && decimals.empty());
    if (has_empty_part || whole.size() + decimals.size() > 18) {
        return std::nullopt;
    }
    while (decimals.size() > kScale && decimals.ends_with('0')) {
        decimals.remove_suffix(1);
    }
    if (decimals.size() > kScale) {
        return std::nullopt;
    }
    std::string digits{whole};
    digits += decimals;
    digits.append(kScale - decimals.size(), '0');
    return parse_u128(digits);
}

u128 scaled(Money amount) {
    u128 value = static_cast<std::uint64_t>(amount.minor);
    for (unsigned i = amount.currency.digits(); i < kScale; ++i) {
        value *= 10;
    }
    return value;
}

std::unexpected<Error> bad(std::string const& what) {
    return fail(Errc::malformed, "payment file: " + what);
}

// The one child of that name. No second one: which of two counts would be a guess.
Result<pugi::xml_node> only(pugi::xml_node parent, char const* name) {
    auto const node = parent.child(name);
    if (!node || node.next_sibling(name)) {
        return bad(std::string{node ? "more than one " : "no "} + name + " in " + parent.name());
    }
    return node;
}

Result<std::string> text_of(pugi::xml_node parent, char const* name, std::size_t most) {
    FLORIN_TRY(auto const node, only(parent, name));
    std::string text = node.text().get();
    bool const has_elements =
        node.find_child([](auto child) { return child.type() == pugi::node_element; });
    if (text.empty() || text.size() > most || has_elements) {
        return bad(std::string{name} + " is not a text of 1 to " + std::to_string(most) + " bytes");
    }
    bool const has_control =
        std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < ' '; });
    if (has_control) {
        return bad(std::string{name} + " has control characters");
    }
    return text;
}

Result<std::string> iban_of(pugi::xml_node parent, char const* name) {
    FLORIN_TRY(auto const account, only(parent, name));
    FLORIN_TRY(auto const id, only(account, "Id"));
    return text_of(id, "IBAN", 34);
}

// NbOfTxs and CtrlSum of the header or of a group.
Result<void> check_totals(pugi::xml_node node, std::size_t count, u128 sum) {
    FLORIN_TRY(auto const said_count, text_of(node, "NbOfTxs", 15));
    if (parse_u128(said_count) != u128{count}) {
        return bad(
            std::string{node.name()} + "/NbOfTxs says " + said_count + ", there are " +
            std::to_string(count)
        );
    }
    FLORIN_TRY(auto const said_sum, text_of(node, "CtrlSum", 20));
    if (scaled(std::string_view{said_sum}) != sum) {
        return bad(
            std::string{node.name()} + "/CtrlSum says " + said_sum + ", which is not the sum"
        );
    }
    return {};
}

Result<Order> order_of(pugi::xml_node node) {
    FLORIN_TRY(auto const id, only(node, "PmtId"));
    FLORIN_TRY(auto end_to_end_id, text_of(id, "EndToEndId", 35));
    FLORIN_TRY(auto const amount_node, only(node, "Amt"));
    FLORIN_TRY(auto const text, text_of(amount_node, "InstdAmt", 20));
    std::string_view const code = amount_node.child("InstdAmt").attribute("Ccy").value();
    auto const currency = Currency::from_alphabetic(code);
    if (!currency || currency->alphabetic() != code) {
        return bad("InstdAmt of " + end_to_end_id + " has no currency");
    }
    auto const amount = parse_decimal(text, *currency);
    if (!amount || amount->minor <= 0) {
        return bad("InstdAmt of " + end_to_end_id + " is not an amount above zero");
    }
    FLORIN_TRY(auto const creditor, only(node, "Cdtr"));
    FLORIN_TRY(auto creditor_name, text_of(creditor, "Nm", 4 * 140));
    FLORIN_TRY(auto creditor_iban, iban_of(node, "CdtrAcct"));
    std::string remittance;
    if (node.child("RmtInf")) {
        FLORIN_TRY(auto const information, only(node, "RmtInf"));
        FLORIN_TRY(remittance, text_of(information, "Ustrd", 4 * 140));
    }
    return Order{
        .payment_information_id = {},
        .end_to_end_id = std::move(end_to_end_id),
        .amount = *amount,
        .creditor_name = std::move(creditor_name),
        .creditor_iban = std::move(creditor_iban),
        .remittance = std::move(remittance),
    };
}

Result<void> read_group(pugi::xml_node group, PaymentFile& file, u128& total) {
    FLORIN_TRY(auto const id, text_of(group, "PmtInfId", 35));
    FLORIN_TRY(auto const method, text_of(group, "PmtMtd", 3));
    if (method != "TRF") {
        return fail(Errc::unsupported, "payment file: PmtMtd " + method + " is not TRF");
    }
    FLORIN_TRY(auto const iban, iban_of(group, "DbtrAcct"));
    if (iban != kAccountIban) {
        return fail(Errc::refused, "payment file: the debtor's account is not of this bank");
    }
    std::string const account_currency = group.child("DbtrAcct").child("Ccy").text().get();
    u128 sum = 0;
    std::size_t count = 0;
    for (auto const node : group.children("CdtTrfTxInf")) {
        FLORIN_TRY(auto order, order_of(node));
        if (!account_currency.empty() && order.amount.currency.alphabetic() != account_currency) {
            return bad(order.end_to_end_id + " is not in the currency of the debtor's account");
        }
        order.payment_information_id = id;
        sum += scaled(order.amount);
        ++count;
        file.orders.push_back(std::move(order));
    }
    if (count == 0) {
        return bad("PmtInf " + id + " has no transfer");
    }
    total += sum;
    return check_totals(group, count, sum);
}

}  // namespace

Result<PaymentFile> parse_payment_file(std::string_view bytes) {
    if (bytes.size() > kFileBytesMax) {
        return fail(Errc::out_of_range, "payment file: more than 16 MiB");
    }
    pugi::xml_document document;
    auto const parsed = document.load_buffer(
        bytes.data(), bytes.size(), pugi::parse_default | pugi::parse_doctype, pugi::encoding_utf8
    );
    if (!parsed) {
        return bad(std::string{"not well-formed: "} + parsed.description());
    }
    for (auto const node : document.children()) {
        if (node.type() == pugi::node_doctype) {
            return bad("a document type declaration is not read");
        }
    }
    FLORIN_TRY(auto const root, only(document, "Document"));
    if (root.attribute("xmlns").value() != kNamespace) {
        return fail(Errc::unsupported, "payment file: not a pain.001.001.09 document");
    }
    FLORIN_TRY(auto const body, only(root, "CstmrCdtTrfInitn"));
    FLORIN_TRY(auto const head, only(body, "GrpHdr"));
    PaymentFile file;
    FLORIN_TRY(file.message_id, text_of(head, "MsgId", 35));
    u128 total = 0;
    for (auto const group : body.children("PmtInf")) {
        FLORIN_TRY_VOID(read_group(group, file, total));
    }
    FLORIN_TRY_VOID(check_totals(head, file.orders.size(), total));
    if (file.orders.empty()) {
        return bad("no PmtInf");
    }
    std::set<std::string_view> ids;
    for (auto const& order : file.orders) {
        if (!ids.insert(order.end_to_end_id).second) {
            return bad("two transfers have the EndToEndId " + order.end_to_end_id);
        }
    }
    return file;
}

}  // namespace florin::banksim
