// What differs between ISO 8583:1987 and ISO 8583:1993 in what fields mean, in one place.
//
//                          1987                          1993
//   MTI                    0xxx                          1xxx
//   network management     0800, field 70                1804, field 24
//     sign-on/-off, echo   001, 002, 301                 801, 802, 831
//     key exchange         101                           811
//     accepted             field 39 = 00                 field 39 = 800
//   local time             fields 12 (n6) and 13         field 12 (n12, with the year)
//   answers echo           field 7                       field 12; field 7 is the answer's own
//   merchant's category    field 18                      field 26
//   point of service       fields 22 (n3) and 25 (n2)    field 22 (an12)
//   kind of message        -                             field 24: 100, 200, 201/202, 400/401
//   why it is reversed     field 39: 17, 68              field 25: 4000, 4021
//   original message       field 90                      field 56
//   part of a reversal     field 95: what stays          field 4: what stays, field 30: original
//   answer                 field 39, two characters      field 39, three digits
//   totals                 field 15 (n4), field 66       fields 24 and 28 (n6), field 39
//
// Everywhere else an MTI is named as 1987 names it ("0420"): wire_mti() and plain_mti() translate.
// Facts are of the two standards and of published host specifications that name their version.
// Thread rule: constant objects and pure functions.
#pragma once

#include "connectors/connector.h"
#include "connectors/iso8583/codec.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace florin::connectors::iso8583 {

enum class NetworkCode { sign_on, sign_off, echo, key_exchange };

// Field 22, and 25 where 1987 has it there.
struct PointOfService {
    std::string entry_mode;      // 1987 field 22
    std::string condition_code;  // 1987 field 25
    std::string data_code;       // 1993 field 22, 12 characters
    bool is_mail_or_telephone = false;
};

class Dialect {
public:
    Dialect() = default;
    Dialect(Dialect const&) = delete;
    Dialect& operator=(Dialect const&) = delete;
    virtual ~Dialect() = default;

    // "0420" as this version writes it, and back.
    std::string wire_mti(std::string_view plain) const;
    std::string plain_mti(std::string_view wire) const;
    // Another version's first digit: not a message of this link.
    bool is_mine(std::string_view wire) const;

    // A request of network management without STAN; times as in set_local_time.
    virtual Message network_request(
        NetworkCode code, std::string_view transmission_time, std::int64_t now_s
    ) const = 0;
    // nullopt for a code that this link knows nothing of.
    virtual std::optional<NetworkCode> network_code(Message const& message) const = 0;
    // Field 39 of an answer to network management.
    virtual std::string_view network_answer(bool is_accepted) const = 0;

    // The field with the time that an answer has from its request.
    virtual int matching_time_field() const = 0;
    // Field 7 of the request that this answers.
    virtual std::string_view request_time(Message const& answer) const = 0;

    // `transmission_time` is field 7, MMDDhhmmss in UTC; `now_s` is only for the year.
    virtual void set_local_time(
        Message& message, std::string_view transmission_time, std::int64_t now_s
    ) const = 0;
    virtual void set_category(Message& message, std::string_view category_code) const = 0;
    virtual void set_point_of_service(Message& message, PointOfService const& where) const = 0;
    // Of a message that is neither a capture nor a reversal.
    virtual void set_function(Message& message) const = 0;
    virtual Result<void> set_capture(Message& message, Money amount, std::optional<Money> approved)
        const = 0;
    // Field 4 is set already. Errc::out_of_range for an amount that its field cannot hold.
    virtual Result<void> set_reversal(
        Message& message, ReversalReason reason, std::optional<Money> remaining
    ) const = 0;
    // `original.mti` is plain.
    virtual void set_original(Message& message, OriginalData original, std::int64_t now_s)
        const = 0;

    // Business date (YYYY-MM-DD) and kind of a message with totals (totals.h); times as above.
    virtual void set_totals(
        Message& message,
        std::string_view date,
        std::string_view transmission_time,
        std::int64_t now_s
    ) const = 0;
    // The business date of such a message as its field has it, or empty.
    virtual std::string_view totals_date(Message const& message) const = 0;
    // YYYY-MM-DD as that field has it.
    virtual std::string date_text(std::string_view date) const = 0;
    // What the answer to one says about the balance, and the code by which it does.
    virtual BalanceClaim balance_claim(Message const& answer) const = 0;
    virtual std::string_view balance_code(Message const& answer) const = 0;

    // Whether an approving field 39 can answer this kind of message: 1993 has approvals of their
    // own for reversals, and one for another kind proves nothing.
    virtual bool approves(std::string_view wire_mti, std::string_view code) const = 0;

private:
    virtual char version_digit() const = 0;
};

// By packaging.version.
Dialect const& dialect_of(Packaging const& packaging);

// "26": the last two digits of the year that puts MMDDhhmmss nearest to `now_s` (seconds since
// 1970, UTC). Right for what is less than half a year old or ahead; "00" where there is no such
// day.
std::string year_near(std::string_view transmission_time, std::int64_t now_s);

}  // namespace florin::connectors::iso8583
