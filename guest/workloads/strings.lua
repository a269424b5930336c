#!/usr/bin/env lua5.4
-- SPDX-License-Identifier: GPL-3.0-or-later
-- Distinct strings of random text, little of which compresses: strings.py for Lua. Lua cannot fork.

local SHORTEST, LONGEST = 100, 1000
local BUILD_STEPS = 8
local REPLACED_ONE_IN = 10
local NOT_APPLICABLE = 77

local options = { mode = "grow", size_kib = 8192, step_kib = 1024, seed = 1, processes = 1, rounds = 0 }

local function fail(status, ...)
	io.stderr:write(string.format(...), "\n")
	os.exit(status)
end

local function parse_options(words)
	for i = 1, #words, 2 do
		local key = words[i]:match("^%-%-(.+)$")
		key = key and key:gsub("-", "_")
		local default = options[key or ""]
		local value = words[i + 1]
		if type(default) == "number" then
			value = value and value:match("^%d+$") and math.tointeger(tonumber(value))
		elseif value ~= "grow" and value ~= "hold" then
			value = nil
		end
		if default == nil or value == nil then
			fail(2, "strings.lua: unknown or incomplete argument '%s'", words[i])
		end
		options[key] = value
	end
end

local function open_descriptor(name, mode)
	local number = os.getenv(name)
	return number and number ~= "" and assert(io.open("/proc/self/fd/" .. number, mode)) or nil
end

local out = open_descriptor("SWAPCAL_CHECKPOINT_FD", "w")
local answers = open_descriptor("SWAPCAL_RESUME_FD", "r")

-- Collections that have ended: an object that nobody has is finalised by each, and makes the next one.
local collections = -1
local sentinel = {}

sentinel.__gc = function()
	collections = collections + 1
	setmetatable({}, sentinel)
end
sentinel.__gc()

local function checkpoint(name)
	if out then
		out:write(string.format("checkpoint %s cpu_ms=%d collections=%d\n", name, math.floor(os.clock() * 1000),
			collections))
		out:flush()
	end
	if out and answers then
		local answer = answers:read("l")
		if not answer then
			fail(1, "nobody is left to answer checkpoint '%s'", name)
		elseif answer == "fork" then
			fail(NOT_APPLICABLE, "Lua cannot fork")
		end
	end
end

-- All pairs of base64 characters: a string is made from five pairs for each random number.
local pairs_of_letters = {}
do
	local letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	for a = 1, 64 do
		for b = 1, 64 do
			pairs_of_letters[#pairs_of_letters + 1] = letters:sub(a, a) .. letters:sub(b, b)
		end
	end
end

local pieces = {}

local function make()
	local length = math.random(SHORTEST, LONGEST)
	local n = 0
	while 2 * n < length do
		local bits = math.random(0)
		for _ = 1, 5 do
			n = n + 1
			pieces[n] = pairs_of_letters[(bits & 4095) + 1]
			bits = bits >> 12
		end
	end
	return table.concat(pieces, "", 1, n):sub(1, length)
end

local function build(payload)
	local part = {}
	while payload > 0 do
		part[#part + 1] = make()
		payload = payload - #part[#part]
	end
	return part
end

local function work(parts)
	for _, part in ipairs(parts) do
		for _, text in ipairs(part) do
			-- No text has a blank: this reads all of it.
			assert(not text:find(" ", 1, true))
		end
		for i = math.random(REPLACED_ONE_IN), #part, REPLACED_ONE_IN do
			part[i] = make()
		end
	end
end

parse_options(arg)
if options.processes > 1 then
	fail(NOT_APPLICABLE, "Lua cannot fork")
end
math.randomseed(options.seed)

local parts = {}
local last = options.rounds > 0 and options.rounds or math.maxinteger

if options.mode == "hold" then
	for i = 1, BUILD_STEPS do
		parts[i] = build(options.size_kib * 1024 // BUILD_STEPS)
		checkpoint("build-" .. i)
	end
	checkpoint("full")
	for round = 1, last do
		work(parts)
		checkpoint("round-" .. round)
	end
else
	parts[1] = build(options.size_kib * 1024)
	for step = 1, last do
		parts[step + 1] = build(options.step_kib * 1024)
		checkpoint("step-" .. step)
	end
end
