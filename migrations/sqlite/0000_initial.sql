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
);
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
	`status` text NOT NULL,
	`awaits_task` integer NOT NULL,
	`registered_at` integer NOT NULL,
	`not_after` integer
);
--> statement-breakpoint
CREATE INDEX `callbacks_awaiting` ON `callbacks` (`id`) WHERE "awaits_task" = 1 and "status" = 'active';--> statement-breakpoint
CREATE UNIQUE INDEX `callbacks_identity` ON `callbacks` (`principal`,`task_id`,`client_id`,`url`);--> statement-breakpoint
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
	`created_at` integer NOT NULL,
	`settled_at` integer,
	`not_after` integer,
	`reason` text,
	FOREIGN KEY (`event_id`) REFERENCES `events`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`callback_id`) REFERENCES `callbacks`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `deliveries_event` ON `deliveries` (`event_id`);--> statement-breakpoint
CREATE INDEX `deliveries_due` ON `deliveries` (`next_attempt_at`,`origin`) WHERE "status" = 'pending';--> statement-breakpoint
CREATE INDEX `deliveries_due_of_origin` ON `deliveries` (`origin`,`next_attempt_at`) WHERE "status" = 'pending';--> statement-breakpoint
CREATE INDEX `deliveries_expiring` ON `deliveries` (`not_after`) WHERE "status" = 'pending' and "not_after" is not null;--> statement-breakpoint
CREATE INDEX `deliveries_sending` ON `deliveries` (`id`) WHERE "status" = 'sending';--> statement-breakpoint
CREATE INDEX `deliveries_open` ON `deliveries` (`event_id`,`callback_id`) WHERE "status" in ('pending', 'sending');--> statement-breakpoint
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
	`is_whole` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tasks` (
	`id` text PRIMARY KEY NOT NULL,
	`principal` text NOT NULL,
	`task_id` text NOT NULL,
	`client_id` text NOT NULL,
	`task_type` text NOT NULL,
	`input` text,
	`status` text NOT NULL,
	`result` text,
	`error` text,
	`run_count` integer NOT NULL,
	`created_at` integer NOT NULL,
	`started_at` integer,
	`finished_at` integer
);
--> statement-breakpoint
CREATE INDEX `tasks_open` ON `tasks` (`status`,`created_at`) WHERE "status" in ('pending', 'running');--> statement-breakpoint
CREATE INDEX `tasks_ended` ON `tasks` (`finished_at`,`id`) WHERE "finished_at" is not null;--> statement-breakpoint
CREATE UNIQUE INDEX `tasks_principal_task_id` ON `tasks` (`principal`,`task_id`);