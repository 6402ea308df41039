// The control port of the simulated bank: one JSON object a line in, one a line out.
//
//   {"clear": true}                          forgets all fault rules
//   {"report": "transactions" | "camt053", "date": "YYYY-MM-DD", "path": "…"}   date: default today
//   {"chargeback": {"rrn": "…", "amount_minor": 100}}
//   {"fee": {"amount_minor": 100, "currency": "EUR"}}
//   {"collect": "/path/file.xml"}            executes a pain.001 file
//   {"return": {"end_to_end_id": "…"}}       gives a transfer of it back
//   {"new_key": true}                        sends every link with key exchange a new key
//   {"counts": true}                         what the book holds
//   anything else                            a fault rule (faults.h)
// Answers: {"ok": true, …} or {"ok": false, "error": "…"}.
// Thread rule: as the book.
#pragma once

#include "tools/banksim/book.h"
#include "tools/banksim/faults.h"

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace florin::banksim {

// `change_keys` sends new keys and says to how many links; a bank without links has none.
using ChangeKeys = std::function<std::size_t()>;
std::string control(
    std::string_view line, Book& book, Faults& faults, ChangeKeys const& change_keys = {}
);

// The answer to {"collect": path}: as a command, and on the control port.
std::string collect(std::string const& path, Book& book);

}  // namespace florin::banksim
