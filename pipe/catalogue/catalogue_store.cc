// SPDX-License-Identifier: Apache-2.0
#include "pipe/catalogue/catalogue_store.h"

namespace tidegate {

Status CatalogueStore::check_rebuildable() {
  if (!exists()) return {};
  const auto present = load();
  if (present.ok())
    return Error(ErrorCode::kAlreadyExists, "the catalogue can be read, there is nothing to rebuild")
        .at_path(path());
  if (present.error().code != ErrorCode::kDamaged) return present.error();
  return {};
}

}  // namespace tidegate
