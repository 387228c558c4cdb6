CREATE TABLE `completion_tokens` (
	`digest` text PRIMARY KEY NOT NULL,
	`task` text NOT NULL,
	`expires_at` integer NOT NULL,
	`used_at` integer,
	FOREIGN KEY (`task`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `completion_tokens_task` ON `completion_tokens` (`task`);--> statement-breakpoint
CREATE TABLE `inbox` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`client_id` text NOT NULL,
	`received_at` integer NOT NULL,
	`bytes` integer NOT NULL,
	`headers` text NOT NULL,
	`body` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `inbox_client` ON `inbox` (`client_id`,`seq`);--> statement-breakpoint
CREATE TABLE `secret_keys` (
	`key_id` text PRIMARY KEY NOT NULL,
	`covers_all` integer NOT NULL
);
--> statement-breakpoint
-- WITHOUT ROWID is added by hand, since Drizzle cannot express it: rows in the order of the primary key, and no second B-tree for it.
CREATE TABLE `attempts` (
	`delivery_id` text NOT NULL,
	`number` integer NOT NULL,
	`started_at` integer NOT NULL,
	`duration_ms` integer NOT NULL,
	`status_code` integer,
	`error` text,
	`response_excerpt` text,
	PRIMARY KEY(`delivery_id`, `number`),
	FOREIGN KEY (`delivery_id`) REFERENCES `deliveries`(`id`) ON UPDATE no action ON DELETE no action
) WITHOUT ROWID;
--> statement-breakpoint
CREATE TABLE `callbacks` (
	`id` text PRIMARY KEY NOT NULL,
	`principal` text NOT NULL,
	`task_id` text,
	`client_id` text NOT NULL,
	`url` text NOT NULL,
	`origin` text NOT NULL,
	`events` text NOT NULL,
	`signing_secret` text NOT NULL,
	`older_secrets` text,
	`profile` text NOT NULL,
	`subscription_id` text,
	`event_name` text,
	`status` text NOT NULL,
	`awaits_task` integer NOT NULL,
	`registered_at` integer NOT NULL,
	`not_after` integer,
	`expires_at` integer,
	`failing_since` integer,
	`failures` integer DEFAULT 0 NOT NULL,
	`last_error` text,
	`last_delivery_at` integer,
	`disabled_reason` text,
	`disabled_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `callbacks_identity` ON `callbacks` (`principal`,`task_id`,`client_id`,`url`) WHERE "subscription_id" is null;--> statement-breakpoint
CREATE UNIQUE INDEX `callbacks_subscription_id` ON `callbacks` (`subscription_id`) WHERE "subscription_id" is not null;--> statement-breakpoint
CREATE INDEX `callbacks_subscriptions_by_time` ON `callbacks` (`principal`,`registered_at`,`id`) WHERE "subscription_id" is not null;--> statement-breakpoint
CREATE INDEX `callbacks_subscriptions_by_task` ON `callbacks` (`principal`,`task_id`) WHERE "subscription_id" is not null and "status" <> 'removed';--> statement-breakpoint
CREATE INDEX `callbacks_with_progress` ON `callbacks` (`principal`,`task_id`) WHERE "subscription_id" is null and "status" = 'active' and instr("events", 'task_progress') > 0;--> statement-breakpoint
CREATE INDEX `callbacks_awaiting_task` ON `callbacks` (`id`) WHERE "awaits_task" = 1 and "status" = 'active';--> statement-breakpoint
CREATE INDEX `callbacks_disabled` ON `callbacks` (`id`) WHERE "status" = 'disabled';--> statement-breakpoint
CREATE TABLE `counters` (
	`name` text PRIMARY KEY NOT NULL,
	`value` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `deliveries` (
	`id` text PRIMARY KEY NOT NULL,
	`event_id` text NOT NULL,
	`callback_id` text NOT NULL,
	`principal` text NOT NULL,
	`origin` text NOT NULL,
	`profile` text NOT NULL,
	`profile_version` integer NOT NULL,
	`status` text NOT NULL,
	`attempt_count` integer NOT NULL,
	`attempts_before` integer DEFAULT 0 NOT NULL,
	`send_again` integer DEFAULT false NOT NULL,
	`next_attempt_at` integer,
	`claim` integer NOT NULL,
	`event_seq` integer,
	`cursor` text,
	`created_at` integer NOT NULL,
	`settled_at` integer,
	`not_after` integer,
	`reason` text,
	FOREIGN KEY (`event_id`) REFERENCES `events`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`callback_id`) REFERENCES `callbacks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `deliveries_event_id` ON `deliveries` (`event_id`);--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`next_attempt_at`,`origin`) WHERE "status" = 'pending';--> statement-breakpoint
CREATE INDEX `deliveries_due_of_origin` ON `deliveries` (`origin`,`next_attempt_at`) WHERE "status" = 'pending';--> statement-breakpoint
CREATE INDEX `deliveries_expiring` ON `deliveries` (`not_after`) WHERE "status" = 'pending' and "not_after" is not null;--> statement-breakpoint
CREATE INDEX `deliveries_open` ON `deliveries` (`event_id`,`callback_id`) WHERE "status" in ('pending', 'sending');--> statement-breakpoint
CREATE INDEX `deliveries_open_of_subscription` ON `deliveries` (`callback_id`,`event_seq`) WHERE "event_seq" is not null and "status" in ('pending', 'sending');--> statement-breakpoint
CREATE UNIQUE INDEX `deliveries_identity` ON `deliveries` (`callback_id`,`event_id`);--> statement-breakpoint
CREATE TABLE `events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`id` text NOT NULL,
	`principal` text NOT NULL,
	`task` text NOT NULL,
	`type` text NOT NULL,
	`occurred_at` integer NOT NULL,
	`data` text NOT NULL,
	FOREIGN KEY (`task`) REFERENCES `tasks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `events_id` ON `events` (`id`);--> statement-breakpoint
CREATE INDEX `events_task` ON `events` (`task`);--> statement-breakpoint
CREATE INDEX `events_of_principal` ON `events` (`principal`,`seq`) WHERE "type" <> 'task_progress';--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`principal` text NOT NULL,
	`task_id` text NOT NULL,
	`client_id` text NOT NULL,
	`task_type` text NOT NULL,
	`executor` text DEFAULT 'handler' NOT NULL,
	`input` text,
	`status` text NOT NULL,
	`result` text,
	`error` text,
	`run_count` integer NOT NULL,
	`event_count` integer DEFAULT 0 NOT NULL,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer,
	`due_at` integer DEFAULT 0 NOT NULL,
	`start_after` integer,
	`failures` integer DEFAULT 0 NOT NULL,
	`crashes` integer DEFAULT 0 NOT NULL,
	`progress` text,
	`progress_at` integer,
	`mcp_task` integer DEFAULT false NOT NULL,
	`lease_digest` text,
	`lease_until` integer,
	`worker` text
);
--> statement-breakpoint
CREATE INDEX `tasks_of_principal` ON `tasks` (`principal`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_of_mcp` ON `tasks` (`principal`,`id`) WHERE "mcp_task" = 1;--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`status`,`executor`,`created_at`) WHERE "status" in ('pending', 'running');--> statement-breakpoint
CREATE INDEX `tasks_of_principal_by_status` ON `tasks` (`principal`,`status`,`id`);--> statement-breakpoint
CREATE INDEX `tasks_for_handlers` ON `tasks` (`task_type`,`due_at`,`id`) WHERE "status" = 'pending' and "executor" = 'handler';--> statement-breakpoint
CREATE INDEX `tasks_for_handlers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "executor" = 'handler';--> statement-breakpoint
CREATE INDEX `tasks_poison` ON `tasks` (`due_at`,`id`) WHERE "status" = 'pending' and "executor" = 'handler' and "crashes" >= 2;--> statement-breakpoint
CREATE INDEX `tasks_for_workers` ON `tasks` (`task_type`,`due_at`) WHERE "status" = 'pending' and "executor" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_for_workers_due` ON `tasks` (`due_at`) WHERE "status" = 'pending' and "executor" = 'worker';--> statement-breakpoint
CREATE INDEX `tasks_leased` ON `tasks` (`lease_until`) WHERE "status" = 'running' and "lease_until" is not null;--> statement-breakpoint
CREATE INDEX `tasks_ended` ON `tasks` (`finished_at`,`id`) WHERE "finished_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_identity` ON `tasks` (`principal`,`task_id`);--> statement-breakpoint
CREATE TABLE `verified_urls` (
	`principal` text NOT NULL,
	`url` text NOT NULL,
	`until` integer NOT NULL,
	PRIMARY KEY(`principal`, `url`)
);
--> statement-breakpoint
CREATE INDEX `verified_urls_until` ON `verified_urls` (`until`);
