// SPDX-License-Identifier: Apache-2.0
// Who may give which statement. doc/statements.md has the table. Pure.
#pragma once

#include "pipe/catalogue/definitions.h"
#include "pipe/statement/executor.h"

namespace tidegate {

// kUnauthorized, naming the privilege and who can grant it.
Status check_privilege(const Caller& caller, const CatalogueSnapshot& definitions,
                       const Statement& statement);
bool may_show_pipes(const Caller& caller, const CatalogueSnapshot& definitions);

// False for statements that only show something.
bool is_change(const Statement& statement);

PipePrivilege stored_privilege(Privilege privilege);

}  // namespace tidegate
