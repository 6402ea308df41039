// A payout file as the tests make it.
#pragma once

#include "connectors/iso20022/pain001.h"

namespace florin::connectors::iso20022::test {

inline Money money(std::int64_t minor, std::string_view currency) {
    return Money{minor, *Currency::from_alphabetic(currency)};
}

// Two currencies; every optional part is there once and missing once.
inline CreditTransferInitiation sample() {
    auto const eur = *Currency::from_alphabetic("EUR");
    auto const kwd = *Currency::from_alphabetic("KWD");
    return {
        .message_id = "PAYOUT-2026-11-24/1",
        .created = "2026-11-24T18:30:00Z",
        .initiating_party = "Florin & Söhne <platform>",
        .groups =
            {
                {
                    .payment_information_id = "PAYOUT-2026-11-24/1-EUR",
                    .requested_execution_date = "2026-11-25",
                    .debtor_name = "Florin & Söhne",
                    .debtor_iban = "DE02120300000000202051",
                    .currency = eur,
                    .transfers =
                        {
                            {
                                .end_to_end_id = "PO-000001",
                                .instruction_id = "I-000001",
                                .uetr = "6f2c2f58-6f0f-4e5d-8f1a-0d5f3f9d2b11",
                                .amount = money(397'800, "EUR"),
                                .creditor_name = "Café \"Zur Post\"",
                                .creditor_iban = "DE89370400440532013000",
                                .remittance = "Settlement of 2026-11-23, 45 payments",
                            },
                            {
                                .end_to_end_id = "PO-000002",
                                .instruction_id = "",
                                .uetr = "6f2c2f58-6f0f-4e5d-9f1a-0d5f3f9d2b12",
                                .amount = money(5, "EUR"),
                                .creditor_name = "Bookshop Ltd",
                                .creditor_iban = "GB29NWBK60161331926819",
                                .remittance = "",
                            },
                        },
                },
                {
                    .payment_information_id = "PAYOUT-2026-11-24/1-KWD",
                    .requested_execution_date = "2026-11-25",
                    .debtor_name = "Florin & Söhne",
                    .debtor_iban = "DE02120300000000202051",
                    .currency = kwd,
                    .transfers =
                        {
                            {
                                .end_to_end_id = "PO-000003",
                                .instruction_id = "",
                                .uetr = "6f2c2f58-6f0f-4e5d-af1a-0d5f3f9d2b13",
                                .amount = money(1'250, "KWD"),
                                .creditor_name = "متجر",
                                .creditor_iban = "KW81CBKU0000000000001234560101",
                                .remittance = "Settlement of 2026-11-23",
                            },
                        },
                },
            },
    };
}

}  // namespace florin::connectors::iso20022::test
