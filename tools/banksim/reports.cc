#include "tools/banksim/reports.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>

namespace florin::banksim {
namespace {

struct Sums {
    std::int64_t count = 0;
    Money captures, refunds, chargebacks, fees;
};

// The amount without its sign, and the sign as the standard writes it (CdtDbtInd).
std::string absolute(Money money) {
    money.minor = money.minor < 0 ? -money.minor : money.minor;
    return decimal_text(money);
}
std::string_view sign(Money money) {
    return money.minor < 0 ? "DBIT" : "CRDT";
}

std::string balance(std::string_view code, Money money, std::string const& date) {
    auto const currency = std::string{money.currency.alphabetic()};
    return "      <Bal><Tp><CdOrPrtry><Cd>" + std::string{code} +
           "</Cd></CdOrPrtry></Tp><Amt Ccy=\"" + currency + "\">" + absolute(money) +
           "</Amt><CdtDbtInd>" + std::string{sign(money)} + "</CdtDbtInd><Dt><Dt>" + date +
           "</Dt></Dt></Bal>\n";
}

std::string net_line(Payout const& payout) {
    auto const currency = std::string{payout.net.currency.alphabetic()};
    auto const amount = "<Amt Ccy=\"" + currency + "\">" + absolute(payout.net) + "</Amt>";
    auto const direction = "<CdtDbtInd>" + std::string{sign(payout.net)} + "</CdtDbtInd>";
    auto const& date = payout.business_date;
    return "      <Ntry><NtryRef>" + payout.reference + "</NtryRef>" + amount + direction +
           "<Sts>BOOK</Sts><BookgDt><Dt>" + date + "</Dt></BookgDt><ValDt><Dt>" + date +
           "</Dt></ValDt><AcctSvcrRef>" + payout.reference +
           "</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>MCRD</Cd><SubFmlyCd>"
           "POSP</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs><EndToEndId>" +
           payout.reference + "</EndToEndId></Refs>" + amount + direction + "<RmtInf><Ustrd>" +
           payout.reference + "</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>\n";
}

std::string escaped(std::string_view text) {
    std::string out;
    for (char const c : text) {
        switch (c) {
            case '&': out += "&amp;"; break;
            case '<': out += "&lt;"; break;
            case '>': out += "&gt;"; break;
            default: out += c;
        }
    }
    return out;
}

// A transfer is a debit; one that came back is the same entry the other way, marked as reversal.
std::string transfer_line(Movement const& movement, std::string const& date) {
    auto const& order = movement.order;
    auto const amount = "<Amt Ccy=\"" + std::string{order.amount.currency.alphabetic()} + "\">" +
                        decimal_text(order.amount) + "</Amt>";
    auto const remittance =
        order.remittance.empty()
            ? ""
            : "<RmtInf><Ustrd>" + escaped(order.remittance) + "</Ustrd></RmtInf>";
    return fmt::format(
        "      <Ntry><NtryRef>{reference}</NtryRef>{amount}<CdtDbtInd>{sign}</CdtDbtInd>{reversal}"
        "<Sts>BOOK</Sts><BookgDt><Dt>{date}</Dt></BookgDt><ValDt><Dt>{date}</Dt></ValDt>"
        "<AcctSvcrRef>{reference}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>ICDT</Cd>"
        "<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>"
        "<MsgId>{message}</MsgId><PmtInfId>{payment}</PmtInfId><EndToEndId>{end_to_end}"
        "</EndToEndId></Refs>{amount}<CdtDbtInd>{sign}</CdtDbtInd><RltdPties><Cdtr><Nm>{name}</Nm>"
        "</Cdtr><CdtrAcct><Id><IBAN>{iban}</IBAN></Id></CdtrAcct></RltdPties>{remittance}"
        "</TxDtls></NtryDtls></Ntry>\n",
        fmt::arg("reference", movement.bank_reference),
        fmt::arg("amount", amount),
        fmt::arg("sign", movement.is_return ? "CRDT" : "DBIT"),
        fmt::arg("reversal", movement.is_return ? "<RvslInd>true</RvslInd>" : ""),
        fmt::arg("date", date),
        fmt::arg("message", escaped(movement.message_id)),
        fmt::arg("payment", escaped(order.payment_information_id)),
        fmt::arg("end_to_end", escaped(order.end_to_end_id)),
        fmt::arg("name", escaped(order.creditor_name)),
        fmt::arg("iban", escaped(order.creditor_iban)),
        fmt::arg("remittance", remittance)
    );
}

// The account in one currency on one day.
struct Account {
    Money opening;
    Money closing;
    std::string entries;
};

Result<void> book(Account& account, Money amount) {
    FLORIN_TRY(account.closing, checked_add(account.closing, amount));
    return {};
}

// Every currency that was ever moved up to the date.
Result<std::map<std::string, Account>> accounts_on(Book& bank, std::string const& date) {
    std::map<std::string, Account> accounts;
    auto const account = [&](Currency currency) -> Account& {
        auto const zero = Money{0, currency};
        return accounts.try_emplace(
                           std::string{currency.alphabetic()}, Account{zero, zero, {}}
        ).first->second;
    };
    FLORIN_TRY(auto const earlier_payouts, bank.payouts(date, true));
    for (auto const& payout : earlier_payouts) {
        FLORIN_TRY_VOID(book(account(payout.net.currency), payout.net));
    }
    FLORIN_TRY(auto const earlier_movements, bank.moved_before(date));
    for (auto const& sum : earlier_movements) {
        FLORIN_TRY_VOID(book(account(sum.currency), sum));
    }
    for (auto& [currency, each] : accounts) {
        each.opening = each.closing;
    }
    FLORIN_TRY(auto const payouts, bank.payouts(date));
    for (auto const& payout : payouts) {
        auto& each = account(payout.net.currency);
        FLORIN_TRY_VOID(book(each, payout.net));
        each.entries += payout.net.minor == 0 ? "" : net_line(payout);
    }
    FLORIN_TRY(auto const movements, bank.movements(date));
    for (auto const& movement : movements) {
        auto amount = movement.order.amount;
        amount.minor = movement.is_return ? amount.minor : -amount.minor;
        auto& each = account(amount.currency);
        FLORIN_TRY_VOID(book(each, amount));
        each.entries += transfer_line(movement, date);
    }
    return accounts;
}

}  // namespace

bool is_date(std::string const& text) {
    if (text.size() != 10 || text[4] != '-' || text[7] != '-') {
        return false;
    }
    int parts[3] = {0, 0, 0};
    std::size_t const starts[3] = {0, 5, 8};
    std::size_t const lengths[3] = {4, 2, 2};
    for (int i = 0; i < 3; ++i) {
        auto const* const first = text.data() + starts[i];
        auto const [end, status] = std::from_chars(first, first + lengths[i], parts[i]);
        if (status != std::errc{} || end != first + lengths[i]) {
            return false;
        }
    }
    return std::chrono::year_month_day{
        std::chrono::year{parts[0]},
        std::chrono::month{static_cast<unsigned>(parts[1])},
        std::chrono::day{static_cast<unsigned>(parts[2])}
    }.ok();
}

Result<std::string> transaction_report(Book& book, std::string const& date) {
    FLORIN_TRY(auto const entries, book.entries(date));
    FLORIN_TRY(auto const payouts, book.payouts(date));
    std::string out = "H,florin-acquirer-report,1," + book.acquirer() + "," + date +
                      "\n"
                      "C,payout_reference,type,amount_minor,amount,fee_minor,fee,currency,stan,rrn,"
                      "authorization_code,pan,transmission_time,business_date,terminal\n";
    std::map<std::string, Sums> sums;
    for (auto const& entry : entries) {
        auto const currency = std::string{entry.amount.currency.alphabetic()};
        auto const zero = Money{0, entry.amount.currency};
        auto& sum = sums.try_emplace(currency, Sums{0, zero, zero, zero, zero}).first->second;
        auto& of_type = entry.type == "capture"  ? sum.captures
                        : entry.type == "refund" ? sum.refunds
                        : entry.type == "fee"    ? sum.fees
                                                 : sum.chargebacks;
        ++sum.count;
        FLORIN_TRY(of_type, checked_add(of_type, entry.amount));
        FLORIN_TRY(sum.fees, checked_add(sum.fees, entry.fee));
        out += fmt::format(
            "D,{}-{}-{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
            book.acquirer(),
            date,
            currency,
            entry.type,
            entry.amount.minor,
            decimal_text(entry.amount),
            entry.fee.minor,
            decimal_text(entry.fee),
            currency,
            entry.stan,
            entry.rrn,
            entry.authorization_code,
            entry.masked_pan,
            entry.transmission_time,
            entry.business_date,
            entry.terminal
        );
    }
    for (auto const& payout : payouts) {
        auto const& sum = sums.at(std::string{payout.net.currency.alphabetic()});
        out += fmt::format(
            "S,{},{},{},{},{},{},{},{}\n",
            payout.reference,
            payout.net.currency.alphabetic(),
            sum.count,
            sum.captures.minor,
            sum.refunds.minor,
            sum.chargebacks.minor,
            sum.fees.minor,
            payout.net.minor
        );
    }
    out += "T," + std::to_string(entries.size()) + "," + std::to_string(payouts.size()) + "\n";
    return out;
}

Result<std::string> camt053(Book& book, std::string const& date) {
    FLORIN_TRY(auto const accounts, accounts_on(book, date));
    auto const created = date + "T23:59:59Z";
    std::string out =
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.04\">\n"
        "  <BkToCstmrStmt>\n    <GrpHdr><MsgId>" +
        book.acquirer() + "-" + date + "</MsgId><CreDtTm>" + created + "</CreDtTm></GrpHdr>\n";
    for (auto const& [currency, account] : accounts) {
        out += fmt::format(
            "    <Stmt>\n      <Id>{}-{}-{}</Id><CreDtTm>{}</CreDtTm>\n"
            "      <FrToDt><FrDtTm>{}T00:00:00Z</FrDtTm><ToDtTm>{}</ToDtTm></FrToDt>\n"
            "      <Acct><Id><IBAN>{}</IBAN></Id><Ccy>{}</Ccy></Acct>\n",
            book.acquirer(),
            date,
            currency,
            created,
            date,
            created,
            kAccountIban,
            currency
        );
        out += balance("OPBD", account.opening, date);
        out += balance("CLBD", account.closing, date);
        out += account.entries;
        out += "    </Stmt>\n";
    }
    // The schema wants a statement even where nothing ever happened.
    if (accounts.empty()) {
        return fail(Errc::not_found, "the book has no account on " + date);
    }
    return out + "  </BkToCstmrStmt>\n</Document>\n";
}

Result<std::string> report(Book& book, std::string const& kind, std::string const& date) {
    if (!is_date(date)) {
        return fail(Errc::malformed, "date must be YYYY-MM-DD");
    }
    if (kind == "transactions") {
        return transaction_report(book, date);
    }
    if (kind == "camt053") {
        return camt053(book, date);
    }
    return fail(Errc::malformed, "a report is \"transactions\" or \"camt053\"");
}

Result<void> write_report(std::string const& path, std::string const& bytes) {
    auto const beside = path + ".part";
    std::ofstream file{beside, std::ios::binary | std::ios::trunc};
    file << bytes;
    file.close();
    if (!file || std::rename(beside.c_str(), path.c_str()) != 0) {
        return fail(Errc::io, "cannot write " + path);
    }
    return {};
}

}  // namespace florin::banksim
