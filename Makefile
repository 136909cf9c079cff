# Everyday targets of ngx_live_record:
#
#   make module     build/ngx_live_record_module.so for the installed nginx
#   make tools      build/live-record, and what the tests need
#   make install    the module to where nginx looks for modules, live-record
#                   and its manual page
#   make unit       unit tests of the pure code, under ASan and UBSan
#   make test       unit tests, style, and the tests with a real nginx
#   make fuzz       each parser for FUZZ_SECONDS (60)
#   make bench      speed and memory against plain nginx-rtmp
#   make soak       random kills for SOAK_SECONDS (1800)
#   make clean      a clean tree
#
# NGX_RTMP_MODULE_DIR=DIR builds against other sources of nginx-rtmp than
# those of the installed libnginx-mod-rtmp, NGINX_SRC=DIR against another
# configured source of nginx than nginx-dev's.

BUILD               = build
NGINX_SRC           = /usr/share/nginx/src
NGX_RTMP_MODULE_DIR = $(CURDIR)/$(BUILD)/nginx-rtmp
MODULES_DIR         = /usr/lib/nginx/modules
BINDIR              = /usr/bin
MANDIR              = /usr/share/man
FUZZ_SECONDS        = 60
SOAK_SECONDS        = 1800

CC       = cc
CLANG    = clang
WARN     = -Wall -Wextra -Wno-format-truncation -Werror
INCS     = -Icore -Imedia -Ispool -Ibucket
CFLAGS   = -O2 -g
PURE     = -std=gnu99 -D_GNU_SOURCE $(WARN) $(INCS)
LIBS     = -lcurl -lcrypto -ljansson -lexpat -lisal
SAN      = -fsanitize=address,undefined -fno-sanitize-recover=undefined

FOLDERS  = core media spool bucket
PURE_SRC = $(wildcard $(FOLDERS:%=%/*.c))
GLUE_SRC = $(wildcard ngx_live_record_*.c)
TOOL_SRC = $(wildcard tools/*.c)
HEADERS  = $(wildcard $(FOLDERS:%=%/*.h)) $(wildcard *.h)

UNIT_SRC = $(wildcard t/unit/*/test_*.c)
UNIT     = $(UNIT_SRC:t/unit/%.c=$(BUILD)/unit/%)
SAN_OBJ  = $(PURE_SRC:%.c=$(BUILD)/san/%.o)

FUZZ     = $(patsubst t/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard t/fuzz/fuzz_*.c))
FUZZ_SAN = -fsanitize=fuzzer,address,undefined \
           -fno-sanitize-recover=undefined

TOOLS    = $(BUILD)/live-record \
           $(BUILD)/tools/rtmpload $(BUILD)/tools/rtmppub \
           $(BUILD)/tools/flv2ts


all: module

.SECONDARY:

.PHONY: all module install unit test style fuzz fuzzers bench soak tools \
        clean FORCE


# the module: nginx's configure in a copy of its source

module: $(BUILD)/ngx_live_record_module.so

$(BUILD)/nginx-rtmp:
	sh t/lib/fetch-rtmp.sh $(BUILD)

# configured again when "config" or the list of files has changed; what has
# changed in the files is for nginx's own Makefile

$(BUILD)/sources: FORCE
	@mkdir -p $(@D)
	@echo '$(NGINX_SRC) $(NGX_RTMP_MODULE_DIR) $(sort $(GLUE_SRC) $(PURE_SRC) \
		$(HEADERS))' >$@.new
	@cmp -s $@.new $@ && rm $@.new || mv $@.new $@

$(BUILD)/nginx/objs/Makefile: config $(BUILD)/sources \
		| $(if $(filter $(CURDIR)/$(BUILD)/%,$(NGX_RTMP_MODULE_DIR)),$(BUILD)/nginx-rtmp)
	rm -rf $(BUILD)/nginx
	mkdir -p $(BUILD)/nginx
	cp -a $(NGINX_SRC)/. $(BUILD)/nginx/
	cd $(BUILD)/nginx && bash -c '. ./conf_flags && \
		NGX_RTMP_MODULE_DIR=$(NGX_RTMP_MODULE_DIR) \
		./configure "$${NGX_CONF_FLAGS[@]}" \
		--add-dynamic-module=$(CURDIR) \
		--with-cc="$(CC)" \
		--with-cc-opt="-O2 -g -D_GNU_SOURCE -Wall -Wextra \
			-Wno-unused-parameter -Wno-format-truncation -Werror" \
		>configure.log 2>&1 || { cat configure.log; exit 1; }'

$(BUILD)/ngx_live_record_module.so: $(BUILD)/nginx/objs/Makefile $(GLUE_SRC) \
		$(PURE_SRC) $(HEADERS)
	$(MAKE) -C $(BUILD)/nginx -f objs/Makefile modules \
		>$(BUILD)/nginx/make.log 2>&1 \
		|| { cat $(BUILD)/nginx/make.log; exit 1; }
	cp $(BUILD)/nginx/objs/ngx_live_record_module.so $@.new
	mv $@.new $@

install: module $(BUILD)/live-record
	install -d $(DESTDIR)$(MODULES_DIR) $(DESTDIR)$(BINDIR) \
		$(DESTDIR)$(MANDIR)/man1
	install -m 644 $(BUILD)/ngx_live_record_module.so \
		$(DESTDIR)$(MODULES_DIR)/
	install -m 755 $(BUILD)/live-record $(DESTDIR)$(BINDIR)/
	install -m 644 docs/live-record.1 $(DESTDIR)$(MANDIR)/man1/


# unit tests: a program for each test, which may include the file it tests

$(BUILD)/san/%.o: %.c $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(PURE) -O1 -g $(SAN) -c -o $@ $<

UNIT_H   = $(wildcard t/unit/*/*.h)

$(BUILD)/unit/%: t/unit/%.c $(SAN_OBJ) $(UNIT_H)
	@mkdir -p $(@D)
	$(CC) $(PURE) -O1 -g $(SAN) -o $@ $< $(filter-out $(patsubst \
		%.c,$(BUILD)/san/%.o,$(shell sed -n \
		's,^.include "../../../\(.*\)",\1,p' $<)),$(SAN_OBJ)) \
		$(LIBS) -lcmocka

unit: $(UNIT)
	@fail=0; for t in $(UNIT); do echo "== $$t"; $$t || fail=1; done; \
		exit $$fail


tools: $(TOOLS)

$(BUILD)/live-record: $(TOOL_SRC) tools/live_record.h $(PURE_SRC) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(PURE) $(CFLAGS) -Itools -o $@.new $(TOOL_SRC) $(PURE_SRC) \
		-Wl,--as-needed $(LIBS)
	mv $@.new $@

$(BUILD)/tools/flv2ts: t/tools/flv2ts.c $(PURE_SRC) $(HEADERS)
	@mkdir -p $(@D)
	$(CC) $(PURE) $(CFLAGS) -o $@ $< $(PURE_SRC) $(LIBS)

# a publisher is t/tools/NAME.c and NAME_*.c, and what both share

TOOL_LIB = t/tools/flv_file.c t/tools/rtmp_client.c core/lr_buf.c

$(BUILD)/tools/%: t/tools/%.c $(wildcard t/tools/*.[ch]) core/lr_buf.c \
		$(HEADERS)
	@mkdir -p $(@D)
	$(CC) -std=gnu99 $(WARN) $(INCS) $(CFLAGS) -o $@.new $< \
		$(wildcard t/tools/$*_*.c) $(TOOL_LIB)
	mv $@.new $@


style:
	sh t/lib/style.sh


test: unit style module tools
	prove $(PROVE_FLAGS) t


fuzzers: $(FUZZ)

$(BUILD)/fuzz/%: t/fuzz/%.c $(PURE_SRC) $(HEADERS)
	@mkdir -p $(@D)
	$(CLANG) $(PURE) -Wno-unknown-warning-option -O1 -g $(FUZZ_SAN) -o $@ $< $(PURE_SRC) $(LIBS)

fuzz: $(FUZZ:%=%.run)

$(BUILD)/fuzz/%.run: $(BUILD)/fuzz/%
	@mkdir -p $<.corpus
	@echo "== $*"
	@$< -max_total_time=$(FUZZ_SECONDS) -timeout=10 -print_final_stats=0 \
		-verbosity=0 -artifact_prefix=$<. $<.corpus >$<.log 2>&1 \
		|| { cat $<.log; exit 1; }


bench: module tools
	perl t/bench/bench.pl
	perl t/bench/upload.pl
	perl t/bench/pause.pl

soak: module tools
	SOAK_SECONDS=$(SOAK_SECONDS) perl t/bench/soak.pl

clean:
	rm -rf $(BUILD) node_modules
