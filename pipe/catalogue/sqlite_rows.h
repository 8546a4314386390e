// SPDX-License-Identifier: Apache-2.0
// Between the tables and a snapshot: reads all of it, writes what differs. The caller holds the transaction.
#pragma once

#include "pipe/catalogue/definitions.h"
#include "pipe/catalogue/sqlite_db.h"

namespace tidegate::sqlite {

// kDamaged for content that cannot be a catalogue (an operator's edit), naming the row.
Result<CatalogueSnapshot> read_rows(Database& database, const std::string& path);
// Turns `from`, which the tables hold, into `to`.
Status write_rows(Database& database, const CatalogueSnapshot& from, const CatalogueSnapshot& to);

}  // namespace tidegate::sqlite
