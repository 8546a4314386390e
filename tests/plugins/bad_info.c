// SPDX-License-Identifier: Apache-2.0
// A plugin that is odd when it is asked about itself; which way, the build says.
#include <stddef.h>
#include <stdlib.h>

#include "pipe/engine/tg_plugin_v1.h"

#ifdef CRASH_AT_LOAD
__attribute__((constructor)) static void crash(void) {
  abort();
}
#endif

static tg_status create(const tg_host* host, const tg_setting* settings, size_t count, void** self) {
  (void)host, (void)settings, (void)count, (void)self;
  return TG_FAILED;
}
static void destroy(void* self) {
  (void)self;
}
static tg_status process(void* self, const tg_batch* batch) {
  (void)self, (void)batch;
  return TG_FAILED;
}

static tg_status state(void* self) {
  (void)self;
  return TG_FAILED;
}

static const tg_processor processor = {
#ifdef SHORT_STRUCT
    /* A host that looks further sees a state() without restore(). */
    .struct_size = offsetof(tg_processor, state),
    .state = state,
#else
    .struct_size = sizeof(tg_processor),
#endif
    .create = create,
    .destroy = destroy,
#ifndef NO_FUNCTIONS
    .process = process,
#endif
};
static const tg_plugin plugin = {
    .struct_size = sizeof(tg_plugin),
#ifdef OTHER_VERSION
    .abi_version = TG_ABI_VERSION + 1,
#else
    .abi_version = TG_ABI_VERSION,
#endif
    .kind = TG_PROCESSOR,
#ifdef BAD_NAME
    .name = "Bad Name!\n",
#else
    .name = "bad-info-processor",
#endif
    .version = "1.0",
    .description = "is refused",
    .processor = &processor,
};

const tg_plugin* tg_plugin_v1(void) {
  (void)process, (void)state;
  return &plugin;
}
