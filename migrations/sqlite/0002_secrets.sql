CREATE TABLE `secret_keys` (
	`key_id` text PRIMARY KEY NOT NULL,
	`is_whole` integer NOT NULL
);
--> statement-breakpoint
ALTER TABLE `callbacks` ADD `older_secrets` text;